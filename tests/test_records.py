"""The log of the speedrun's records takes what is one, and nothing else."""

import json
import math
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from scipy import stats

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
JUDGES = ("mnist_classifier", "second_judge")
REFERENCE = {"frechet_distance": 9.0, "precision": 0.60, "recall": 0.04, "density": 0.36, "coverage": 0.08}
RECIPE = """
format = 1
generator = { use = "ganfw:mlp", hidden_dim = 128 }
discriminator = { use = "ganfw:mlp", hidden_dim = 128 }
"""
GOOD = (0.62, 0.64, 0.63, 0.65, 0.61)


def document(step: int, judge: str, values: dict[str, float]) -> str:
    metrics = {name: {"value": value, "real_data": 1.0} for name, value in values.items()}
    return json.dumps({"name": "run", "step": step, "embedding": {"name": judge}, "metrics": metrics})


def write_run(folder: Path, seconds: Sequence[float], step: int, **values: float) -> None:
    run = folder / "run-1"
    (run / "eval").mkdir(parents=True)
    lines = [{"step": step * (i + 1) // len(seconds), "seconds": each} for i, each in enumerate(seconds)]
    (run / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    environment = dict.fromkeys(("device", "device_name", "threads", "ganfw", "python", "torch"), "known")
    parts = {
        "loss": {"distribution": "ganfw-x", "version": "1.2"},
        "noise": {"distribution": "ganfw", "version": "0.2"},
    }
    (run / "environment.json").write_text(json.dumps({**environment, "parts": parts}))
    (run / "recipe.toml").write_text(RECIPE)
    for number, judge in enumerate(JUDGES):
        name = f"step-{step:06}{'-set-abc123' if number else ''}.json"
        (run / "eval" / name).write_text(document(step, judge, {**REFERENCE, **values}))


def write_dash(runs: Path, precisions: Sequence[float] = GOOD, seconds: float = 10.0) -> Path:
    """Write five seeds of the dash, and stretches in which the reference takes 20 ms a step."""
    runs.mkdir()
    against = {judge: json.loads(document(93_800, judge, REFERENCE)) for judge in JUDGES}
    (runs / "reference.json").write_text(json.dumps(against))
    for seed, precision in enumerate(precisions):
        write_run(runs / "pace" / f"seed-{seed}", (11.0, 21.0), 1000)
        values = {"precision": precision, "coverage": precision, "frechet_distance": 3 + precision}
        write_run(runs / "dash" / f"seed-{seed}", (seconds + seed / 10,), 700, **values)
    return runs


def records(*arguments: str | Path) -> tuple[int, str]:
    done = subprocess.run([sys.executable, BENCHMARKS / "records.py", *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def add(runs: Path, log: Path) -> tuple[int, str]:
    return records("add", "dash", runs, "--log", log, "--by", "someone")


def test_a_record_has_its_figures_and_p_values(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert add(write_dash(tmp_path / "runs"), log) == (0, f"{log / 'dash-1.json'}\n")

    record = json.loads((log / "dash-1.json").read_text())
    assert record["seconds"] == [10.0, 10.1, 10.2, 10.3, 10.4]
    assert record["times_faster"] == pytest.approx([93_800 * 0.02 / seconds for seconds in record["seconds"]])
    assert record["found"]["second_judge"]["precision"] == list(GOOD)
    assert (record["recipe"], record["steps"], record["machine"]["device_name"]) == (RECIPE, 700, "known")
    assert (record["by"], record["packages"]) == ("someone", {"ganfw-x": "1.2", "ganfw": "0.2"})
    t = (statistics.mean(GOOD) - 0.60) / (statistics.stdev(GOOD) / math.sqrt(5))
    assert record["p"]["precision beyond 0.6, by mnist_classifier"] == pytest.approx(stats.t(4).sf(t))
    _, table = records("table", "--log", log)
    assert "| dash 1 | someone |" in table
    assert "| 1/184 | 3.63 ± 0.016 | 0.63 ± 0.016 |" in table


def test_a_faster_dash_is_a_new_record_and_a_slower_one_is_none(tmp_path: Path) -> None:
    log = tmp_path / "log"
    add(write_dash(tmp_path / "first"), log)

    assert add(write_dash(tmp_path / "slower", seconds=11.0), log) == (
        1,
        "no record: better than the last record: p = 1\n",
    )
    assert add(write_dash(tmp_path / "faster", seconds=9.0), log) == (0, f"{log / 'dash-2.json'}\n")
    assert len(list(log.iterdir())) == 2


@pytest.mark.parametrize(
    ("precisions", "complaint"),
    [
        (GOOD[:4], "no record: a record is the mean of 5 seeds, and there are 4\n"),
        ((0.59, 0.62, 0.60, 0.58, 0.61), "no record: precision beyond 0.6, by mnist_classifier: p = 0.5; "),
    ],
)
def test_what_is_not_sure_is_no_record(tmp_path: Path, precisions: Sequence[float], complaint: str) -> None:
    log = tmp_path / "log"
    status, output = add(write_dash(tmp_path / "runs", precisions), log)

    assert status == 1
    assert output.startswith(complaint)
    assert not log.exists()


def test_other_networks_than_the_reference_are_no_record(tmp_path: Path) -> None:
    runs = write_dash(tmp_path / "runs")
    recipe = runs / "dash" / "seed-0" / "run-1" / "recipe.toml"
    recipe.write_text(RECIPE.replace("128", "256", 1))

    assert add(runs, tmp_path / "log") == (
        1,
        "no record: the generator must be the reference's: {'use': 'ganfw:mlp', 'hidden_dim': 128}\n",
    )


def test_an_entry_is_checked_and_found_again(tmp_path: Path) -> None:
    log, runs = tmp_path / "log", write_dash(tmp_path / "runs")
    add(runs, log)
    entry = log / "dash-1.json"

    assert records("check", entry) == (0, f"{entry}: as claimed\n")
    assert records("check", entry, runs) == (0, f"{entry}: as claimed, and found again\n")

    worse = write_dash(tmp_path / "worse", precisions=[each + 1.5 for each in GOOD])  # its distances are 3 + this
    status, output = records("check", entry, worse)
    assert (status, output) == (
        1,
        f"{entry}: trained again: the Fréchet distance is 5.13 ± 0.016, not 3.63 ± 0.016\n",
    )


def test_a_p_value_that_the_figures_do_not_have_is_found(tmp_path: Path) -> None:
    log = tmp_path / "log"
    add(write_dash(tmp_path / "runs"), log)
    record = json.loads((log / "dash-1.json").read_text())
    claim = "precision beyond 0.6, by second_judge"
    p, record["p"][claim] = record["p"][claim], 1e-9
    (log / "dash-1.json").write_text(json.dumps(record))

    assert records("check", log / "dash-1.json") == (1, f"{log / 'dash-1.json'}: {claim}: p is {p:.2g}, not 1e-09\n")


@pytest.mark.parametrize("entry", sorted((BENCHMARKS / "records").glob("*.json")), ids=lambda path: path.stem)
def test_the_entries_of_the_log_are_as_claimed(entry: Path) -> None:
    assert records("check", entry) == (0, f"{entry}: as claimed\n")
