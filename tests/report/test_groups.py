"""Runs that differ in the seed alone: their mean and spread."""

import statistics
from collections.abc import Callable
from pathlib import Path

import pytest

from ganfw.report.groups import differing_settings, group_runs, mean_curve, newest_shared, spread_of
from ganfw.report.run import read_runs

MakeRun = Callable[..., Path]


def test_runs_that_differ_in_the_seed_are_one_experiment(make_run: MakeRun) -> None:
    other = make_run("other")
    recipe = other / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("lr = 1e-05 ", "lr = 0.002 ", 1))
    runs = read_runs([make_run("a", seed=0), other, make_run("b", seed=1)])
    groups = group_runs(runs)

    assert [[run.label for run in group.runs] for group in groups] == [["a", "b"], ["other"]]
    assert [group.label for group in groups] == ["a and 1 more seeds", "other"]
    assert differing_settings(groups) == [
        ("run.seed", ["0, 1", "0"]),
        ("optimizer.generator.lr", ["1e-05", "0.002"]),
    ]


def test_a_run_without_a_recipe_stays_alone(make_run: MakeRun) -> None:
    directories = [make_run(name) for name in "abc"]
    for directory in directories[:2]:
        (directory / "recipe.toml").unlink()

    assert [len(group.runs) for group in group_runs(read_runs(directories))] == [1, 1, 1]


def test_mean_and_deviation_of_metrics_are_those_of_the_seeds(make_run: MakeRun) -> None:
    distances = [312.4, 300.0, 330.5]
    runs = [make_run(str(seed), seed=seed, distance=distance) for seed, distance in enumerate(distances)]
    (group,) = group_runs(read_runs(runs))

    spread = spread_of("frechet_distance", newest_shared(group))

    assert spread is not None
    assert spread.mean == pytest.approx(sum(distances) / 3, rel=1e-12)
    assert spread.deviation == pytest.approx(statistics.stdev(distances), rel=1e-12)


def test_a_mean_needs_a_value_of_every_run(make_run: MakeRun, write_evaluation: Callable[..., None]) -> None:
    runs = [make_run("a", seed=0), make_run("b", seed=1)]
    nothing = {"frechet_distance": {"value": None, "better": "lower", "reason": "too few samples"}}
    write_evaluation(runs[1], "step-000010", metrics=nothing)
    (group,) = group_runs(read_runs(runs))

    spread = spread_of("frechet_distance", newest_shared(group))

    assert spread is not None
    assert (spread.mean, spread.deviation, spread.result.reason) == (None, None, "too few samples")


def test_seeds_are_compared_at_a_step_that_all_were_evaluated_at(make_run: MakeRun) -> None:
    runs = [make_run("a", seed=0), make_run("b", seed=1)]
    (runs[1] / "eval" / "step-000010.json").unlink()
    (group,) = group_runs(read_runs(runs))

    assert [evaluation.step for evaluation in newest_shared(group)] == [5, 5]


def test_curves_are_averaged_where_all_have_values() -> None:
    points, spread = mean_curve([((1, 1.0), (2, 2.0), (3, None), (5, 1.0)), ((1, 3.0), (2, 2.0), (3, 1.0), (4, 1.0))])

    assert points == ((1, 2.0), (2, 2.0))
    assert spread == (pytest.approx(2**0.5), 0.0)


def test_one_curve_has_no_spread() -> None:
    assert mean_curve([((1, 1.0), (2, None))]) == (((1, 1.0), (2, None)), ())
