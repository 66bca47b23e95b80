"""What `ganfw verify` compares, and how it decides; that it trains is tested in tests/cli/test_verify.py."""

from pathlib import Path

import pytest

from ganfw import Recipe, RecipeError, discover
from ganfw.ledger.records import RunRecord
from ganfw.sweep.verification import Check, subjects_of

RECIPE = """
extends = "ring_mlp"

[expect.quick]
steps = 40
samples = 500
metrics = ["frechet_distance"]
seeds = [0, 2, 3]

[expect.quick.within]
frechet_distance = [1.0, 2.0]
"loss/generator" = [0.6, 0.8]
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "mine.toml").write_text(RECIPE)
    return tmp_path / "mine.toml"


def test_its_runs_have_the_seeds_that_the_bands_are_not_made_from(recipe: Path) -> None:
    (subject,) = subjects_of([str(recipe)], "quick", discover(), ["run.batch_size=32"])

    assert [trial.name for trial in subject.trials] == [f"mine,quick,seed={seed}" for seed in (1, 4, 5)]
    settings = subject.trials[0].resolved.settings
    assert (settings.seed, settings.max_steps, settings.batch_size) == (1, 40, 32)
    tables = subject.trials[0].resolved.recipe.tables
    assert tables["callbacks"]["evaluate"]["count"] == 500
    assert subject.trials[0].resolved.names_in("metrics") == ["frechet_distance"]
    assert Recipe.load(recipe).tables["expect"]["quick"]["steps"] == 40


def test_two_recipes_of_one_name_have_runs_of_their_own(recipe: Path) -> None:
    other = recipe.parent / "other" / recipe.name
    other.parent.mkdir()
    other.write_text(RECIPE.replace("[1.0, 2.0]", "[3.0, 4.0]"))

    first, second = subjects_of([str(recipe), str(other)], "quick", discover())

    assert (first.name, second.name) == ("mine", "mine-2")
    assert not {trial.name for trial in first.trials} & {trial.name for trial in second.trials}
    assert second.expectation.within["frechet_distance"] == (3.0, 4.0)


def test_a_recipe_that_expects_nothing_is_refused(recipe: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        subjects_of([str(recipe)], "full", discover())

    assert str(caught.value) == (
        f"{recipe}: it has no [expect.full], so there is nothing to compare its results with; "
        "make one with: ganfw table SWEEP --format expect"
    )


def test_results_are_those_of_finished_runs(recipe: Path) -> None:
    (subject,) = subjects_of([str(recipe)], "quick", discover())
    first, second, _ = (trial.name for trial in subject.trials)
    metrics, losses = {"frechet_distance": 1.5}, {"loss/generator": 0.9}
    runs = {
        first: RunRecord(Path(first), first, state="finished", metrics=metrics, losses=losses),
        second: RunRecord(Path(second), second, state="failed", metrics=metrics, losses=losses),
        "other": RunRecord(Path("other"), "other", state="finished", metrics={"frechet_distance": 9.0}),
    }

    assert subject.compare(runs) == [
        Check("frechet_distance", (1.0, 2.0), (1.5, None)),
        Check("loss/generator", (0.6, 0.8), (0.9, None)),
    ]


@pytest.mark.parametrize(
    ("values", "passed", "verdict"),
    [
        ((1.0,), True, "as expected"),
        ((2.0,), True, "as expected"),
        ((0.75,), False, "too low by 0.25"),
        ((2.5,), False, "too high by 0.5"),
        ((None,), False, "no value"),
        ((2.5, 1.5, 1.25), True, "as expected"),
        ((2.5, 1.5, 3.0), False, "too high by 0.5"),
        ((None, None, 1.5), False, "outside in most runs"),
        ((0.5, 1.5, 2.5), False, "outside in most runs"),
    ],
)
def test_most_runs_decide(values: tuple[float | None, ...], passed: bool, verdict: str) -> None:
    check = Check("precision", (1.0, 2.0), values)

    assert (check.passed, check.verdict) == (passed, verdict)
