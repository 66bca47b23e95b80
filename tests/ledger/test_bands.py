"""The bands of `[expect]`: as wide as they say, and as `ganfw table` prints them."""

import json
import math
import tomllib
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from ganfw import InputError, Recipe, discover, resolve
from ganfw.cli import main
from ganfw.ledger.bands import band_of, expectation_of
from ganfw.ledger.records import load_runs

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: float(f"{value:.6g}"))


@given(st.lists(NUMBERS, min_size=3, max_size=8))
def test_a_band_holds_what_it_should_and_is_little_wider(values: list[float]) -> None:
    low, high = band_of(values)

    mean = np.mean(values)
    width = 4 * max(np.std(values, ddof=1), 0.01 * abs(mean)) * math.sqrt(1 + 1 / len(values))
    wanted = max(mean - width, 0) if min(values) >= 0 else mean - width
    slack = 1e-6 * abs(mean) + 1e-9
    assert wanted - 0.11 * width - slack <= low <= wanted + slack
    assert mean + width - slack <= high <= mean + 1.11 * width + slack


def test_a_new_run_is_outside_as_rarely_as_students_t_says() -> None:
    random = np.random.default_rng(0)
    draws = random.normal(loc=100, scale=20, size=(4000, 6))  # far above the least spread

    outside = sum(not (low <= new <= high) for *values, new in draws for low, high in [band_of(values)])

    assert 2 * scipy.stats.t.sf(4, 4) == pytest.approx(0.0161, abs=1e-4)
    assert outside / len(draws) == pytest.approx(0.0161, abs=0.006)


def test_runs_that_agree_by_chance_do_not_make_a_band_of_no_width() -> None:
    assert band_of([25, 25, 25]) == (23.8, 26.2)
    assert band_of([0, 0, 0]) == (0, 0)


def write_run(folder: Path, seed: int, distance: float | None, more: str = "") -> None:
    run = folder / f"seed={seed}"
    (run / "eval").mkdir(parents=True)
    count = "[callbacks.evaluate]\ncount = 500\n"
    (run / "recipe.toml").write_text(f"[run]\nseed = {seed}\nmax_steps = 40\n\n{count}{more}")
    environment = {"name": "x", "total_steps": 40, "threads": 2, "device_name": "Some CPU", "torch": "2.14.1"}
    (run / "environment.json").write_text(json.dumps(environment))
    line = {"step": 40, "epoch": 1, "images": 40, "seconds": 2.0 + seed, "loss/generator": 0.7 + seed / 100}
    (run / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    metrics = {"frechet_distance": {"value": distance, "better": "lower"}, "recall": {"value": 0.5, "better": "higher"}}
    (run / "eval" / "step-000040.json").write_text(json.dumps({"metrics": metrics}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, distance in ((1, 10.0), (2, 10.4), (3, 10.8)):
        write_run(tmp_path, seed, distance)
    return tmp_path


def test_the_table_of_runs_is_an_expectation_that_a_recipe_can_have(folder: Path) -> None:
    result = CliRunner().invoke(main, ["table", str(folder), "--format", "expect-quick"])

    assert (result.exit_code, result.stderr) == (0, "")
    assert (
        result.stdout
        == """[expect.quick]
steps = 40
samples = 500
seeds = [1, 2, 3]
seconds = 4.0
machine = "Some CPU, torch 2.14.1, threads: 2"

[expect.quick.within]
frechet_distance = [8.5, 12.3]
"loss/generator" = [0.673, 0.767]
"""
    )
    registry = discover()
    recipe = Recipe.parse(f'extends = "ring_mlp"\n{result.stdout}', registry=registry)
    expectation = resolve(recipe, registry).expectations["quick"]
    assert expectation.within == {"frechet_distance": (8.5, 12.3), "loss/generator": (0.673, 0.767)}
    assert expectation.runs.seeds == [1, 2, 3]


def test_of_the_whole_run_no_steps_are_written_and_metrics_can_be_chosen(folder: Path) -> None:
    result = CliRunner().invoke(main, ["table", str(folder), "--format", "expect", "--metric", "recall"])

    assert result.stdout.startswith("[expect.full]\nsamples = 500\nseeds = [1, 2, 3]\n")
    assert result.stdout.endswith("[expect.full.within]\nrecall = [0.476, 0.524]\n")


def test_metrics_that_were_left_out_are_left_out_when_it_is_verified(tmp_path: Path) -> None:
    more = """
[metrics.frechet_distance]
use = "frechet_distance"

[metrics.diversity]
use = "diversity"
enabled = false
"""
    for seed in (1, 2, 3):
        write_run(tmp_path, seed, 10.0 + seed, more)

    text = expectation_of(load_runs(tmp_path), "quick", ["frechet_distance"])

    assert tomllib.loads(text)["expect"]["quick"]["metrics"] == ["frechet_distance"]


def refusal(folder: Path, *metrics: str) -> str:
    with pytest.raises(InputError) as caught:
        expectation_of(load_runs(folder), "quick", metrics or ("frechet_distance",))
    return str(caught.value)


def test_runs_that_differ_in_more_than_the_seed_are_refused(folder: Path) -> None:
    write_run(folder, 4, 10.0, 'more = "x"\n')

    assert refusal(folder) == (
        "bands need runs that differ only in the seed; "
        "these differ in callbacks.evaluate.more, so choose some with --where"
    )


def test_too_few_seeds_are_refused(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_run(tmp_path, seed, 1.0)

    assert refusal(tmp_path) == "bands need 3 or more runs, each with a seed of its own; these 2 runs have 2 seeds"


def test_a_result_that_some_run_lacks_is_refused(folder: Path) -> None:
    write_run(folder, 4, None)

    assert refusal(folder) == "not every run has a value of frechet_distance; choose other metrics with --metric"
