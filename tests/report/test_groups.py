"""Runs that differ in the seed alone: their mean and spread."""

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from ganfw.report.axis import DASH
from ganfw.report.groups import differing_settings, group_runs
from ganfw.report.page import render_page
from ganfw.report.run import read_runs
from ganfw.report.summaries import mean_curve, newest_shared, summarise

MakeRun = Callable[..., Path]


def test_runs_that_differ_in_the_seed_are_one_experiment(make_run: MakeRun) -> None:
    other = make_run("other")
    recipe = other / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("lr = 1e-05 ", "lr = 0.002 ", 1))
    runs = read_runs([make_run("a", seed=0), other, make_run("b", seed=1)])
    groups = group_runs(runs)

    assert [[run.label for run in group.runs] for group in groups] == [["a", "b"], ["other"]]
    assert [group.label for group in groups] == [
        "optimizer.generator.lr = 1e-05 (2 seeds)",
        "optimizer.generator.lr = 0.002",
    ]
    assert differing_settings([group.runs for group in groups]) == [
        ("run.seed", ["0, 1", "0"]),
        ("optimizer.generator.lr", ["1e-05", "0.002"]),
    ]


def set_in(run: Path, **settings: str) -> Path:
    """Change settings of a run, given as `loss__use='"ganfw:hinge"'`, or add them to their tables."""
    recipe = run / "recipe.toml"
    document = tomlkit.parse(recipe.read_text())
    for key, value in settings.items():
        *path, name = key.split("__")
        table: Any = document
        for part in path:
            table = table.setdefault(part, {})
        table[name] = tomlkit.value(value)
    recipe.write_text(tomlkit.dumps(document))
    return run


def without_recipe(run: Path) -> Path:
    (run / "recipe.toml").unlink()
    return run


def labels(*runs: Path) -> list[str]:
    return [group.label for group in group_runs(read_runs(runs))]


def test_groups_are_called_by_what_differs(make_run: MakeRun) -> None:
    hinge = {"loss__use": '"ganfw:hinge"'}
    found = labels(
        make_run("a"),
        set_in(make_run("b"), **hinge),
        set_in(make_run("c", seed=1), **hinge),
        set_in(make_run("d"), data__folder='"/a/long/path/to/a/folder/with/many/pictures"'),
    )

    assert found == [
        f"loss.use = bce, data.folder = {DASH}",
        f"loss.use = hinge, data.folder = {DASH} (2 seeds)",
        "loss.use = bce, data.folder = …ong/path/to/a/folder/with/many/pictures",
    ]


def test_what_follows_from_another_part_is_not_in_a_label(make_run: MakeRun) -> None:
    sgd = {"optimizer__generator__use": '"x:sgd"', "optimizer__generator__momentum": "0.9"}

    assert labels(make_run("a"), set_in(make_run("b"), **sgd)) == [
        "optimizer.generator.use = adam",
        "optimizer.generator.use = x:sgd",
    ]


def test_of_many_differences_a_label_has_those_that_tell_the_groups_apart(make_run: MakeRun) -> None:
    many = {f"run__{name}": "7" for name in ("epochs", "batch_size", "log_every_steps")}
    found = labels(
        make_run("a"),
        set_in(make_run("b"), **many, loss__use='"ganfw:hinge"'),
        set_in(make_run("c"), **many, loss__use='"ganfw:lsgan"'),
        without_recipe(make_run("d")),
        without_recipe(make_run("e")),
    )

    assert found == ["loss.use = bce", "loss.use = hinge", "loss.use = lsgan", "d", "e"]


def test_more_groups_than_styles_have_a_page(make_run: MakeRun) -> None:
    runs = [set_in(make_run(str(number)), generator__hidden_dim=str(number)) for number in range(1, 10)]

    assert labels(*runs) == [f"generator.hidden_dim = {number}" for number in range(1, 10)]
    assert "generator.hidden_dim = 9" in render_page(read_runs(runs))


def test_runs_that_have_no_settings_to_differ_in_are_called_by_their_names(make_run: MakeRun) -> None:
    runs = [make_run(name) for name in "abc"]
    (runs[0] / "recipe.toml").unlink()

    assert labels(*runs) == ["a", "tiny (2 seeds)"]
    (runs[1] / "recipe.toml").unlink()
    assert labels(*runs) == ["a", "b", "c"]


def test_a_run_without_a_recipe_stays_alone(make_run: MakeRun) -> None:
    directories = [make_run(name) for name in "abc"]
    for directory in directories[:2]:
        (directory / "recipe.toml").unlink()

    assert [len(group.runs) for group in group_runs(read_runs(directories))] == [1, 1, 1]


def test_mean_and_deviation_of_metrics_are_those_of_the_seeds(make_run: MakeRun) -> None:
    distances = [312.4, 300.0, 330.5]
    runs = [make_run(str(seed), seed=seed, distance=distance) for seed, distance in enumerate(distances)]
    (group,) = group_runs(read_runs(runs))

    spread = summarise([each.scores for each in newest_shared(group)])["frechet_distance"]

    assert spread.mean == pytest.approx(sum(distances) / 3, rel=1e-12)
    assert spread.deviation == pytest.approx(statistics.stdev(distances), rel=1e-12)


def test_a_mean_needs_a_value_of_every_run(make_run: MakeRun, write_evaluation: Callable[..., None]) -> None:
    runs = [make_run("a", seed=0), make_run("b", seed=1)]
    nothing = {"frechet_distance": {"value": None, "better": "lower", "reason": "too few samples"}}
    write_evaluation(runs[1], "step-000010", metrics=nothing)
    (group,) = group_runs(read_runs(runs))

    spread = summarise([each.scores for each in newest_shared(group)])["frechet_distance"]

    assert (spread.mean, spread.deviation, spread.score.reason) == (None, None, "too few samples")


def test_seeds_are_compared_at_a_step_that_all_were_evaluated_at(make_run: MakeRun) -> None:
    runs = [make_run("a", seed=0), make_run("b", seed=1)]
    (runs[1] / "eval" / "step-000010.json").unlink()
    (group,) = group_runs(read_runs(runs))

    assert [evaluation.step for evaluation in newest_shared(group)] == [5, 5]


def test_curves_are_averaged_where_all_have_values() -> None:
    points = mean_curve([((1, 1.0), (2, 2.0), (3, None), (5, 1.0)), ((1, 3.0), (2, 2.0), (3, 1.0), (4, 1.0))])

    assert points == [(1, 2.0, pytest.approx(2**0.5)), (2, 2.0, 0.0)]


def test_one_curve_has_no_spread() -> None:
    assert mean_curve([((1, 1.0), (2, None))]) == [(1, 1.0, None), (2, None, None)]
