"""The pages about sweeps are true: their commands run, and print what is shown."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from pages import blocks, code, files, page, section, table

import ganfw
from ganfw import Part
from ganfw.plugins.registry import Plugin, RegisteredPart
from ganfw.sweep.definition import KEYS, Search, read_sweep
from ganfw.sweep.trials import plan_trials
from ganfw.testing import launchers, small_recipe
from ganfw.testing.subject import Subject

Ganfw = Callable[..., tuple[int, str]]
COMPARE, TUNE = "tutorial/compare.md", "tutorial/tune.md"
REFERENCE = "reference/sweep-file.md"
SHORT = """
run.epochs = 1
run.max_steps = 4
run.log_every_steps = 2
data.split = "test"
generator.hidden_dim = 4
discriminator.hidden_dim = 4
embedding = { use = "pixels", side = 2 }
metrics.kernel_distance.enabled = false
metrics.density_coverage.enabled = false
metrics.nearest_neighbours.enabled = false
metrics.diversity.enabled = false
metrics.classifier_score.enabled = false
"""


LAUNCHER = '\n[launcher]\nuse = "forking"\njobs = 2\n'


def shortened(text: str, **numbers: tuple[int, int]) -> str:
    """Return a sweep file with other numbers, and with short trials of small networks."""
    for key, (shown, less) in {"evaluate": (2000, 20), **numbers}.items():
        assert f"{key} = {shown}" in text
        text = text.replace(f"{key} = {shown}", f"{key} = {less}")
    if "run.epochs = 2" in text:
        return text.replace("run.epochs = 2", SHORT.strip()) + LAUNCHER
    return f"{text}\n[set]\n{SHORT}{LAUNCHER}"


def first_words(text: str) -> list[str]:
    return text.splitlines()[0].split()


def succeed(run_ganfw: Ganfw, name: str) -> list[str]:
    """Run every command of a page, and return their verbs."""
    verbs = []
    for line in "".join(blocks(page(name), "sh")).splitlines():
        _, *words = shlex.split(line)
        verbs.append(words[0])
        if "mnist_mlp_short" in words:
            words.append("--dry-run")  # its launcher is slow
        status, output = run_ganfw(*words)
        assert status == 0, f"{line}\n{output}"
    return verbs


def test_a_reader_can_compare_runs_as_the_pages_say(
    run_ganfw: Ganfw, server_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(server_folder)
    file = files(page(COMPARE))["losses.toml"]
    Path("losses.toml").write_text(file)
    assert run_ganfw("sweep", "losses.toml", "--dry-run") == (0, blocks(page(COMPARE), "text")[0])
    Path("losses.toml").write_text(shortened(file, seeds=(3, 1)))

    assert succeed(run_ganfw, COMPARE) == ["sweep", "sweep", "runs", "table", "table", "report"]
    assert succeed(run_ganfw, "how-to/compare-runs.md") == ["runs"] * 3 + ["table"] * 4
    assert succeed(run_ganfw, "how-to/run-a-sweep.md") == ["sweep"]

    shown = blocks(page(COMPARE), "text")[1:]
    printing = [
        line for line in "".join(blocks(page(COMPARE), "sh")).splitlines() if re.match("ganfw (runs|table)", line)
    ]
    for text, line in zip(shown, printing, strict=True):
        _, output = run_ganfw(*shlex.split(line)[1:])
        assert first_words(output) == first_words(text)
    runs = ganfw.load_runs("sweeps/losses")
    assert [run.state for run in runs] == ["finished"] * 2
    assert all(run.metrics["frechet_distance"] > 0 for run in runs)
    exec(blocks(page("how-to/compare-runs.md"), "python")[0], {})
    tree = re.findall(r"^    ([\w.=,]+)", section(REFERENCE, "The folder of a sweep"), re.MULTILINE)
    there = {path.name for path in Path("sweeps/losses").iterdir()}
    assert {"sweep.toml", "loss=bce,seed=0", "loss=relativistic,seed=0", "logs", ".lock", "ended"} == set(tree)
    assert set(tree) - there == {"ended"}  # nothing failed


@pytest.mark.slow
def test_a_reader_can_tune_a_setting_as_the_tutorial_says(
    run_ganfw: Ganfw, server_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(server_folder)
    search = shortened(files(page(TUNE))["rates.toml"], seeds=(2, 1), trials=(20, 2))
    Path("rates.toml").write_text(search)

    assert succeed(run_ganfw, TUNE) == ["sweep", "table", "sweep"]
    tried = ganfw.load_runs("sweeps/rates")
    Path("rates.toml").write_text(search + blocks(page(TUNE), "toml")[1])
    status, output = run_ganfw("sweep", "rates.toml")

    assert status == 0, output
    assert len(tried) == 2
    again = [run.name for run in ganfw.load_runs("sweeps/rates") if run.name.startswith("best,")]
    assert [name[-8:] for name in again] == ["seed=100", "seed=101", "seed=102"]


def test_the_keys_on_the_page_are_those_of_the_code() -> None:
    shown = [re.findall(r"\w+", row[0])[0] for row in table(page(REFERENCE))]
    searched = [code(row[0]) for row in table(section(REFERENCE, "Search"))]

    assert shown == list(KEYS)
    assert sorted(searched) == sorted(field.name for field in attrs.fields(Search))


def test_the_variants_on_the_page_are_a_sweep(registry: ganfw.Registry, tmp_path: Path) -> None:
    path = tmp_path / "variants.toml"
    path.write_text(f'format = 1\nrecipe = "mnist_mlp_short"\n{blocks(page(REFERENCE), "toml")[0]}')

    assert [trial.name for trial in plan_trials(read_sweep(path, registry), registry)] == ["plain,seed=0", "r1,seed=0"]


def test_the_best_setting_on_the_page_fits_the_search_of_the_tutorial(registry: ganfw.Registry, tmp_path: Path) -> None:
    path = tmp_path / "best.toml"
    path.write_text(files(page(TUNE))["rates.toml"] + blocks(page(REFERENCE), "toml")[1])

    search = read_sweep(path, registry).search

    assert search
    assert search.best
    assert list(search.best.seeds) == [100, 101, 102]


@pytest.mark.parametrize("check", [launchers.runs_the_command, launchers.stops_when_asked, launchers.kills])
def test_the_launcher_on_the_page_of_kinds_does_what_launchers_must(
    check: Callable[[Subject], None], registry: ganfw.Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = page("reference/kinds/launchers-and-recipes.md")
    names: dict[str, Any] = {}
    exec("\n".join(blocks(text, "python")), names)
    monkeypatch.setattr(RegisteredPart, "load", lambda _: names["OneByOne"])
    part = Part(kind="launcher", name="one_by_one", target="page:OneByOne", help="one at a time")

    check(Subject(RegisteredPart(part, Plugin("page", "0", "page")), registry, small_recipe(registry), tmp_path))
