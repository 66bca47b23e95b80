"""Every shipped recipe, and those of the packages beside ganfw, can be played with."""

from pathlib import Path
from urllib.parse import quote

import pytest
import torch

import ganfw
from ganfw.play.code import command_of, python_of
from ganfw.play.requests import read_request
from ganfw.play.runs import Models, PlayedRun

pytestmark = pytest.mark.slow

RECIPES = [recipe.part.name for recipe in ganfw.discover(allowed=()).parts("recipe")]
assert len(RECIPES) >= 15
FURTHER = ("mnist_acgan", "mnist_infogan", "mnist_bigan", "mnist_pix2pix", "mnist_cyclegan", "mnist_dcgan_conditional")
"""Recipes of other packages: conditional ones, with codes, with an encoder, and translations."""
GRID = "view=grid&run=0&count=4&seed=3"
WALKS = (
    "view=path&run=0&from=5-0-2&to=5-1-2",
    "view=map&run=0&seed=2",
    "view=plane&run=0&seed=2&x=0.25&y=0.1",
    "view=coordinates&run=0&of=3-1-4&changes=0:1.5",
    "view=nearest&run=0&count=4&seed=3&number=1",
)


def played_of(recipe: str, out: Path) -> PlayedRun:
    registry = ganfw.discover(allowed=None)
    short = ganfw.Recipe.load(recipe, registry).with_overrides(
        ["run.max_steps=2", "run.batch_size=16", "run.device=cpu", "callbacks.progress.enabled=false"]
    )
    experiment = ganfw.assemble(ganfw.resolve(short, registry))
    directory = ganfw.create_run_directory(out, experiment)
    ganfw.train(experiment, directory=directory)
    return PlayedRun(directory, registry, "cpu", Models())


def check(run: PlayedRun) -> int:
    """Draw every view of a run, compare each with what its Python makes, and return how many there were."""
    queries = [GRID, *(f"{GRID}&sampler={quote(each['name'])}" for each in run.about["samplers"])]
    queries += [] if run.about["z_dim"] is None else WALKS
    for query in queries:
        request = read_request(query.encode(), 1)
        model = run.model(request.step, request.sampler)
        request.check(model)
        shown = request.view.show(model)
        assert torch.isfinite(shown.samples).all()
        names: dict[str, torch.Tensor] = {}
        exec(compile(python_of(request.view, model), query, "exec"), names)
        assert torch.equal(names["samples"], shown.samples[shown.about.get("given", 0) :]), query
        command_of(request.view, model)
    return len(queries)


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_shipped_recipe_can_be_played_with(recipe: str, tmp_path: Path) -> None:
    assert check(played_of(recipe, tmp_path)) >= 6


@pytest.mark.parametrize("recipe", FURTHER)
def test_a_recipe_of_another_package_can_be_played_with(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GANFW_PLUGINS")
    if recipe not in {part.part.name for part in ganfw.discover().parts("recipe")}:
        pytest.skip("its package is not installed")

    assert check(played_of(recipe, tmp_path)) >= (1 if recipe in ("mnist_pix2pix", "mnist_cyclegan") else 6)
