"""`ganfw runs` and `ganfw table`."""

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ganfw.cli import main

FIDS = {
    ("bce", 0): 30.0,
    ("bce", 1): 32.0,
    ("bce", 2): 35.5,
    ("hinge", 0): 21.0,
    ("hinge", 1): 25.0,
    ("hinge", 2): 24.0,
}


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def refusal(*arguments: str) -> str:
    result = invoke(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    return result.stderr


@pytest.fixture
def runs(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of six runs of two losses and three seeds."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANFW_PLUGINS", "")
    for (loss, seed), value in FIDS.items():
        run = shutil.copytree(trained, tmp_path / "many" / f"{loss}-{seed}")
        text = (run / "recipe.toml").read_text().replace('"ganfw:bce"', f'"ganfw:{loss}"')
        (run / "recipe.toml").write_text(text.replace("seed = 0 ", f"seed = {seed} "))
        metrics = {"frechet_distance": {"value": value, "better": "lower"}, "recall": {"value": seed / 2, "better": ""}}
        (run / "eval").mkdir()
        (run / "eval" / "step-000010.json").write_text(json.dumps({"format": 1, "metrics": metrics}))
    return Path("many")


def test_runs_are_listed_with_what_differs(runs: Path) -> None:
    (runs / "hinge-2" / "checkpoints" / "latest").write_text("step-000006\n")

    result = invoke("runs", "many")

    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "  run      seed  loss   state     step   frechet_distance  recall\n"
        "  bce-0       0  bce    finished  10                   30       0\n"
        "  bce-1       1  bce    finished  10                   32     0.5\n"
        "  bce-2       2  bce    finished  10                 35.5       1\n"
        "  hinge-0     0  hinge  finished  10                   21       0\n"
        "  hinge-1     1  hinge  finished  10                   25     0.5\n"
        "  hinge-2     2  hinge  stopped   10/10                24       1\n"
    )


def test_runs_are_chosen_and_sorted(runs: Path) -> None:
    arguments = ["--where", "loss=hinge", "--where", "frechet_distance<25", "--sort", "-seed", "--metric", "generator"]

    result = invoke("runs", str(runs), *arguments)

    assert result.exit_code == 0, result.output
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["run", "hinge-2", "hinge-0"]
    assert result.stdout.splitlines()[0].split() == ["run", "seed", "state", "step", "loss/generator"]


def test_runs_are_json_and_csv_for_programs(runs: Path) -> None:
    as_json = json.loads(invoke("runs", str(runs), "--json").stdout)
    as_csv = list(csv.DictReader(io.StringIO(invoke("runs", str(runs), "--csv").stdout)))

    assert [run["name"] for run in as_json] == [row["name"] for row in as_csv] == [f"{loss}-{n}" for loss, n in FIDS]
    assert as_json[5]["metrics"] == {"frechet_distance": 24.0, "recall": 1.0}
    assert as_json[5]["settings"]["loss.use"] == "ganfw:hinge"
    assert {key: as_csv[5][key] for key in ("loss.use", "run.seed", "step", "frechet_distance")} == {
        "loss.use": "hinge",
        "run.seed": "2",
        "step": "10",
        "frechet_distance": "24.0",
    }


def test_the_table_has_means_over_seeds(runs: Path) -> None:
    result = invoke("table", str(runs))

    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "  loss   n  frechet_distance ↓  recall\n"
        "  bce    3  32.5 ± 2.8          0.50 ± 0.50\n"
        "  hinge  3  23.3 ± 2.1          0.50 ± 0.50\n"
    )
    assert result.stderr == "also measured, for --metric: loss/discriminator, loss/generator\n"


def test_the_table_compares_settings_seed_by_seed(runs: Path) -> None:
    result = invoke(
        "table", str(runs), "--metric", "frechet_distance", "--against", "loss=bce", "--sort", "frechet_distance"
    )

    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "  loss   n  frechet_distance ↓\n"
        "  hinge  3  23.3 ± 2.1\n"
        "  bce    3  32.5 ± 2.8\n"
        "\n"
        "  loss   metric            pairs  difference       t        p  p, Holm over 1\n"
        "  hinge  frechet_distance      3      \N{MINUS SIGN}9.167  \N{MINUS SIGN}7.042  0.01958         0.01958\n"
    )


def test_the_table_is_written_for_papers(runs: Path) -> None:
    found = {
        form: invoke("table", str(runs), "--metric", "recall", "--format", form).stdout
        for form in ("markdown", "latex", "csv")
    }

    assert found["markdown"].splitlines()[2] == "| bce | 3 | 0.50 ± 0.50 |"
    assert found["latex"].splitlines()[3:5] == [r"\midrule", r"bce & 3 & 0.50 $\pm$ 0.50 \\"]
    assert found["csv"].splitlines() == [
        "loss.use,recall mean,recall sd,recall n",
        "bce,0.5,0.5,3",
        "hinge,0.5,0.5,3",
    ]


def test_unfinished_runs_are_left_out_of_the_table(runs: Path) -> None:
    (runs / "hinge-2" / "checkpoints" / "latest").write_text("step-000006\n")

    result = invoke("table", str(runs), "--metric", "recall")

    assert "  hinge  2  0.25 ± 0.35\n" in result.stdout
    assert result.stderr == "left out, because they are not finished: 1\n"


def test_what_is_not_there_is_refused(runs: Path) -> None:
    assert refusal("runs", "nowhere") == "Error: nowhere: no such folder; name one that holds runs\n"
    Path("empty").mkdir()
    assert refusal("runs", "empty") == "Error: empty: no runs in it; name a folder that holds some\n"
    assert (
        refusal("runs", "many", "--where", "loss.slope=1")
        == "Error: no run has the key 'loss.slope'; did you mean 'loss.use'?\n"
    )
    assert (
        refusal("table", "many", "--metric", "recll")
        == "Error: no run has the metric 'recll'; did you mean 'recall'?\n"
    )
    assert refusal("table", "many", "--by", "los") == "Error: no run has the setting 'los'; did you mean 'loss'?\n"
    assert refusal("table", "many", "--where", "step=1") == (
        "Error: no runs are there; name a folder that holds some, or change --where\n"
    )


def test_comparisons_that_say_nothing_are_refused(runs: Path) -> None:
    def of(*arguments: str) -> str:
        result = invoke("table", str(runs), *arguments)
        assert result.exit_code == 2
        return result.stderr.splitlines()[-1]

    assert of("--against", "seed=0") == "Error: --against seed=0: it matches 2 settings; it must match exactly one"
    only = ("--where", "loss=bce", "--against", "loss=bce")
    assert of(*only) == "Error: --against loss=bce: the runs have no other setting to compare it with; add some"
    shutil.copytree(runs / "bce-0", runs / "bce-9")
    assert of("--against", "loss=bce") == (
        "Error: --against needs one run for each seed: bce-0 and bce-9 are of seed 0"
    )


@pytest.mark.parametrize("verb", ["runs", "table"])
def test_the_commands_import_no_torch(verb: str, runs: Path) -> None:
    code = (
        "import sys\nfrom ganfw.cli import main\n"
        f"sys.argv = ['ganfw', {verb!r}, {str(runs)!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print({'torch', 'numpy', 'tomlkit', 'matplotlib'} & sys.modules.keys())"
    )

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ended.stdout.endswith("set()\n")
