"""What many runs are is read from their directories, whatever state they are in."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ganfw
from ganfw import Recipe, RunError, load_runs
from ganfw.files import locked
from ganfw.ledger.records import RunRecord, Runs, _runs_in, fixed, read_recipe_settings
from ganfw.recipe.origins import dotted, leaves


def evaluation(**metrics: Any) -> str:
    entries = {name: {"value": value, "better": "lower"} for name, value in metrics.items()}
    return json.dumps({"format": 1, "metrics": entries})


def test_a_finished_run_is_read_whole(trained: Path, tmp_path: Path) -> None:
    (trained / "eval").mkdir()
    (trained / "eval" / "step-000006.json").write_text(evaluation(frechet_distance=9.0))
    (trained / "eval" / "step-000010-count-50.json").write_text(evaluation(frechet_distance=4.0))
    (trained / "eval" / "step-000010.json").write_text(evaluation(frechet_distance=3.5, histogram=[1, 2]))
    (trained / "eval" / "step-000010-truncation.json").write_text('{"format": 1, "points": []}')

    (run,) = load_runs(tmp_path / "runs")

    assert (run.name, run.recipe, run.state, run.step, run.total_steps) == ("tiny-1", "tiny", "finished", 10, 10)
    assert run.directory == trained
    assert (run.metrics, run.metrics_step, run.better) == ({"frechet_distance": 3.5}, 10, {"frechet_distance": "lower"})
    last = json.loads((trained / "metrics.jsonl").read_text().splitlines()[-1])
    assert run.losses == {key: last[key] for key in ("loss/discriminator", "loss/generator")}
    assert run.seconds == last["seconds"]
    assert run.settings["optimizer.generator.betas"] == (0.9, 0.999)
    assert run.settings["generator.use"] == "ganfw:mlp"
    assert run.problems == ()
    assert load_runs(trained)[0].settings == run.settings
    assert [each.name for each in load_runs(tmp_path)] == ["runs/tiny-1"]


def test_the_state_says_how_far_a_run_is(trained: Path, tmp_path: Path) -> None:
    environment = json.loads((trained / "environment.json").read_text())
    environment["resumed"] = [{"total_steps": 12}]
    (trained / "environment.json").write_text(json.dumps(environment))

    with locked(trained):
        ended = subprocess.run(
            [sys.executable, "-c", f"import ganfw; print(ganfw.load_runs({str(trained)!r})[0].state)"],
            capture_output=True,
            text=True,
            check=True,
        )
    assert ended.stdout == "running\n"
    assert load_runs(trained)[0].state == "stopped"
    (tmp_path / "runs" / "ended").mkdir()
    why = f"{'a/long/path/' * 40}: no such file; name another with data.path"  # what to do stands at its end
    for name in ("tiny-1", "tiny-9"):
        (tmp_path / "runs" / "ended" / f"{name}.json").write_text(json.dumps({"state": "failed", "reason": why}))
    runs = load_runs(tmp_path / "runs")
    assert [(run.name, run.state, run.reason, run.step) for run in runs] == [
        ("tiny-1", "failed", why, 10),
        ("tiny-9", "failed", why, 0),  # before it had a directory
    ]


def test_a_run_of_an_earlier_version_is_finished_at_its_last_step(trained: Path) -> None:
    environment = json.loads((trained / "environment.json").read_text())
    del environment["total_steps"]
    (trained / "environment.json").write_text(json.dumps(environment))

    (run,) = load_runs(trained)

    assert (run.state, run.total_steps) == ("finished", None)


def test_what_is_damaged_is_named_and_the_rest_is_read(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "runs" / "tiny-2")
    (trained / "recipe.toml").write_text("a = [")
    (trained / "environment.json").write_text("[]")
    (trained / "metrics.jsonl").write_bytes(b'{"step": 4}\nnothing\n{"step": 8')
    (trained / "checkpoints" / "latest").write_bytes(b"\xff")
    (trained / "eval").mkdir()
    (trained / "eval" / "step-000004.json").write_text("{")

    first, second = load_runs(tmp_path / "runs")

    assert (first.state, first.step, first.settings, first.metrics) == ("stopped", 4, {}, {})
    assert first.problems == (
        f"{trained}/recipe.toml: not TOML: Invalid value (at end of document)",
        f"{trained}/environment.json: not a JSON object",
        f"{trained}/eval/step-000004.json: not JSON",
    )
    assert second.state == "finished"


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        load_runs(tmp_path / "nowhere")

    assert str(caught.value) == f"{tmp_path}/nowhere: no such folder; name one that holds runs"


def test_runs_are_in_the_order_of_their_numbers(trained: Path, tmp_path: Path) -> None:
    for number in (2, 10):
        shutil.copytree(trained, tmp_path / "runs" / f"tiny-{number}")

    runs = load_runs(tmp_path / "runs")

    assert [run.name for run in runs] == ["tiny-1", "tiny-2", "tiny-10"]
    assert [run.name for run in runs[1:]] == ["tiny-2", "tiny-10"]


def test_settings_that_change_together_are_reported_once(trained: Path, tmp_path: Path) -> None:
    other = shutil.copytree(trained, tmp_path / "runs" / "tiny-2")
    text = (other / "recipe.toml").read_text().replace("lr = 1e-05", "lr = 0.0002").replace("seed = 0", "seed = 1")
    (other / "recipe.toml").write_text(text)

    runs = load_runs(tmp_path / "runs")

    assert runs.differing() == ["run.seed", "optimizer.generator.lr", "optimizer.discriminator.lr"]
    assert runs.telling() == ["run.seed", "optimizer.generator.lr"]


def test_settings_of_metrics_tell_runs_apart_only_where_nothing_else_does() -> None:
    measured = [{"loss.use": "bce", "metrics.a.k": k} for k in (3, 5)]
    tried = [{**settings, "loss.use": name} for settings, name in zip(measured, ("bce", "hinge"), strict=True)]

    assert Runs(RunRecord(Path(), "", settings=each) for each in measured).telling() == ["metrics.a.k"]
    assert Runs(RunRecord(Path(), "", settings=each) for each in tried).telling() == ["loss.use"]


def test_runs_are_a_table_of_pandas(trained: Path, tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    other = shutil.copytree(trained, tmp_path / "runs" / "tiny-2")
    (other / "recipe.toml").write_text((other / "recipe.toml").read_text().replace('"ganfw:bce"', '"ganfw:hinge"'))
    runs = load_runs(tmp_path / "runs")

    table = runs.to_pandas()

    assert list(table["loss.use"]) == ["bce", "hinge"]
    assert list(table["step"]) == [10, 10]
    assert list(table["loss/generator"]) == [run.losses["loss/generator"] for run in runs]


TEXT = st.text("ab \"'#=[]{}.,\n\\é—", max_size=6)
VALUES = st.recursive(
    st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
NAMES = st.text("ab.\"'#=[ é", min_size=1, max_size=3)
TABLES = st.dictionaries(NAMES, VALUES | st.dictionaries(NAMES, VALUES, min_size=1, max_size=3), max_size=4)


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])  # a busy machine
@given(TABLES)
def test_settings_read_line_by_line_are_those_of_a_parser(tables: dict[str, Any]) -> None:
    text = Recipe(run=tables).to_toml(comments={("run", name): "here = 1" for name in tables})

    check_settings(text)


@pytest.mark.parametrize(
    "text",
    [
        "a = [\n  1,\n  2,\n]\n[b]\nc = '''\nd = 3\n'''\n",
        "a = {b = 1, c = 2}\n",
        "[[a]]\nb = 1\n[[a]]\nb = 2\n",
        'a.b.c = 1\na."d e" = 2\n[x.y]\nz = []\n[x.w]\n',
        "\n# nothing\n",
        "a = 1 # [b]\r\nb = 2\r\n",
    ],
)
def test_settings_of_files_that_ganfw_does_not_write_are_read_too(text: str) -> None:
    check_settings(text)


def check_settings(text: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recipe.toml"
        path.write_bytes(text.encode())
        found = read_recipe_settings(path)
    expected = {dotted(path): fixed(value) for path, value in leaves(tomllib.loads(text)) if value != {}}
    assert {key: value for key, value in found.items() if value != "{}"} == expected


def test_reading_runs_imports_no_torch(trained: Path) -> None:
    code = (
        f"import sys, ganfw; ganfw.load_runs({str(trained)!r}); print('torch' in sys.modules, 'numpy' in sys.modules)"
    )

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ended.stdout == "False False\n"


def test_reading_changes_nothing(trained: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*") if path.name != ".lock"}

    ganfw.load_runs(trained)

    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*") if path.name != ".lock"} == before


def test_links_and_pipes_are_not_followed(trained: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text('{"step": 99}\n')
    for name in ("metrics.jsonl", ".lock", "checkpoints/latest"):
        (trained / name).unlink()
    (trained / ".lock").symlink_to(elsewhere)
    (trained / "metrics.jsonl").symlink_to(elsewhere)
    os.mkfifo(trained / "checkpoints" / "latest")

    (run,) = load_runs(trained)

    assert (run.step, run.state) == (0, "stopped")
    assert elsewhere.read_text() == '{"step": 99}\n'


def test_a_folder_that_is_removed_while_runs_are_read_is_passed_over(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "runs" / "zoo").mkdir()

    found = _runs_in(str(tmp_path / "runs"), "", 1)
    assert next(found).name == "tiny-1"
    (tmp_path / "runs" / "zoo").rmdir()
    assert list(found) == []
