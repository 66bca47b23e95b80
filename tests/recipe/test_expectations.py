"""`[expect]`: read strictly, part of no run, and not inherited."""

from pathlib import Path

import pytest

from ganfw import Recipe, RecipeError, discover, resolve
from ganfw.recipe.expectations import Expectation, MeasuredRuns

BASE = """
format = 1
extends = "ring_mlp"

[expect.quick]
steps = 40
samples = 500
seeds = [1, 2, 3]
seconds = 2.5
machine = "two cores"

[expect.quick.within]
frechet_distance = [1, 2.5]
"loss/generator" = [0.6, 0.8]
"""


def resolved(text: str):
    registry = discover()
    return resolve(Recipe.parse(text, name="mine", file="mine.toml", registry=registry), registry)


def test_an_expectation_is_read() -> None:
    runs = MeasuredRuns(seeds=[1, 2, 3], steps=40, samples=500, seconds=2.5, machine="two cores")

    assert resolved(BASE).expectations == {
        "quick": Expectation(runs, {"frechet_distance": (1.0, 2.5), "loss/generator": (0.6, 0.8)})
    }


def test_without_steps_it_is_of_the_whole_run_with_the_samples_of_ganfw_evaluate() -> None:
    text = """extends = "ring_mlp"\nexpect.full = { seeds = [1, 2, 3], within = { modes_found = [8, 8] } }"""

    assert resolved(text).expectations["full"].runs == MeasuredRuns(seeds=[1, 2, 3], steps=None, samples=10_000)


def test_it_is_no_setting_of_a_run() -> None:
    assert "expect" not in resolved(BASE).to_toml()
    assert resolved(BASE).recipe == resolved('extends = "ring_mlp"\nformat = 1').recipe


def test_a_recipe_that_is_written_and_read_has_it_still() -> None:
    recipe = Recipe.parse(BASE, registry=discover())

    assert Recipe.parse(recipe.to_toml()) == recipe


def test_a_recipe_that_extends_another_does_not_expect_its_results(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text(BASE)

    extended = Recipe.parse(f"extends = '{tmp_path / 'base.toml'}'\nrun.epochs = 2", registry=discover())
    in_python = Recipe(extends=tmp_path / "base.toml", registry=discover())

    assert "expect" not in extended.tables
    assert "expect" not in in_python.tables


def test_all_mistakes_are_reported_at_once() -> None:
    text = """
extends = "ring_mlp"

[expect.short]
seeds = [1]

[expect.full]
step = 3
seeds = [1, -2]

[expect.full.within]
frechet_distance = [2, 1]
precision = 0.5

[expect.quick]
samples = "many"
"""
    with pytest.raises(RecipeError) as caught:
        resolved(text)

    assert (
        str(caught.value)
        == """8 problems in recipe 'mine'

mine.toml:4: unknown form 'short' of a run
    [expect.short]
  forms are full, quick

mine.toml:8: unknown key 'step' of [expect.full]
    step = 3
  did you mean 'steps'?
  its keys are seeds, steps, samples, metrics, seconds, machine, within

mine.toml:9: expect.full.seeds must be >= 0, not -2
    seeds = [1, -2]
  its keys are seeds, steps, samples, metrics, seconds, machine, within

mine.toml:12: expect.full.within.frechet_distance must be a lowest and a highest value, not [2, 1]
    frechet_distance = [2, 1]

mine.toml:13: expect.full.within.precision must be a list of 2: float, float, not 0.5
    precision = 0.5

mine.toml:15: [expect.quick] needs the key 'seeds', a list of int >= 0
    [expect.quick]
  its keys are seeds, steps, samples, metrics, seconds, machine, within

mine.toml:16: expect.quick.samples must be an int >= 0, not 'many'
    samples = "many"
  its keys are seeds, steps, samples, metrics, seconds, machine, within

mine.toml:15: [expect.quick.within] must say which values are expected: frechet_distance = [8.1, 9.7]
    [expect.quick]"""
    )
