"""One visit to every part and every recipe that ganfw ships."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch

import ganfw
from ganfw import Recipe, Registry
from ganfw.parts import FACTS
from ganfw.registry import Offer
from ganfw.testing import check_exact_resume, recipe_using

OFFERS = list(ganfw.discover(allowed=()).offers())
PARTS = [offer for offer in OFFERS if offer.part.kind != "recipe"]
RECIPES = [offer for offer in OFFERS if offer.part.kind == "recipe"]


POINTS: dict[str, Any] = {
    "data": {"use": "grid", "size": 5000},
    "generator": {"output": "linear"},
    "callbacks": {"samples": {"use": "sample_scatter"}},
}
"""What changes where a part is not for images."""


def base_of(offer: Offer, base: Recipe) -> Recipe:
    """Return the recipe that a part goes into: of images, or of points in the plane."""
    if offer.part.name in ("ring", "grid", "sample_scatter"):
        return Recipe(name=base.name, extends=base, **POINTS)
    return base


def test_every_kind_is_visited() -> None:
    counts = {kind: sum(offer.part.kind == kind for offer in OFFERS) for kind in ganfw.discover(allowed=()).kinds()}

    assert counts == {
        "data": 4,
        "noise": 3,
        "generator": 1,
        "discriminator": 1,
        "loss": 7,
        "regularizer": 5,
        "augmentation": 0,
        "optimizer": 4,
        "schedule": 2,
        "averaging": 1,
        "step": 1,
        "callback": 8,
        "embedding": 5,
        "metric": 10,
        "recipe": 13,
    }


@pytest.mark.parametrize("offer", PARTS, ids=str)
def test_part_is_documented_and_typed(offer: Offer) -> None:
    signature = offer.signature()
    target = offer.load()

    assert offer.part.help
    assert len(inspect.getdoc(target) or "") > 30
    assert set(signature.facts) <= FACTS.keys()
    for key in signature.keys.values():
        assert key.help, f"{offer}: key '{key.name}' has no help"
        assert not key.required, f"{offer}: key '{key.name}' has no default"
        if key.default is not None:
            assert key.complaint(key.default) is None


@pytest.mark.parametrize("offer", PARTS, ids=str)
def test_part_trains_with_its_defaults(offer: Offer, registry: Registry, tiny: Recipe, tmp_path: Path) -> None:
    resolved = ganfw.resolve(recipe_using(offer, base_of(offer, tiny)), registry)
    experiment = ganfw.assemble(resolved)
    before = [weight.clone() for weight in experiment.generator.parameters()]
    training = ganfw.train(experiment, directory=ganfw.create_run_directory(tmp_path, experiment))

    assert offer in resolved.offers.values()
    assert training.finished
    assert all(torch.isfinite(torch.tensor(value)) for value in training.means.values())
    assert any(not torch.equal(old, new) for old, new in zip(before, experiment.generator.parameters(), strict=True))


@pytest.mark.parametrize("offer", RECIPES, ids=str)
def test_recipe_runs_in_a_shortened_form(offer: Offer, registry: Registry, tmp_path: Path) -> None:
    recipe = Recipe.load(offer.part.name, registry).with_overrides(["run.max_steps=3"])
    experiment = ganfw.assemble(ganfw.resolve(recipe, registry))
    directory = ganfw.create_run_directory(tmp_path, experiment)

    assert ganfw.train(experiment, directory=directory).finished
    assert (directory / "samples" / "step-000003.png").exists()


def test_every_part_and_recipe_is_visited_by_the_checks_of_resuming() -> None:
    assert (len(PARTS), len(RECIPES)) == (52, 13)


@pytest.mark.parametrize("offer", PARTS, ids=str)
def test_part_resumes_bit_for_bit_in_the_middle_of_an_epoch(
    offer: Offer, registry: Registry, tiny: Recipe, tmp_path: Path
) -> None:
    base = tiny.with_overrides(["run.batch_size=3000", "callbacks.samples.every_steps=2"])  # four batches an epoch

    check_exact_resume(recipe_using(offer, base_of(offer, base)), registry, tmp_path, stop_at=5, steps=7)


@pytest.mark.parametrize("offer", RECIPES, ids=str)
def test_recipe_resumes_bit_for_bit(offer: Offer, registry: Registry, tmp_path: Path) -> None:
    check_exact_resume(Recipe.load(offer.part.name, registry), registry, tmp_path)


@pytest.mark.parametrize("offer", RECIPES, ids=str)
def test_recipe_header_tells_what_a_reader_wants_to_know(offer: Offer) -> None:
    package, _, name = offer.part.target.partition(":")
    folder = Path(ganfw.__file__).parent / package.removeprefix("ganfw.")
    header = [line for line in (folder / name).read_text().splitlines() if line.startswith("#")]

    assert header[0].endswith(".")
    for word in ("command", "short", "expect", "takes"):
        assert any(line.startswith(f"#   {word} ") for line in header), word


def test_the_reference_recipe_is_the_reference_gan(registry: Registry) -> None:
    resolved = ganfw.resolve(Recipe.load("mnist_mlp", registry), registry)
    tables = resolved.recipe.tables

    assert tables["run"] == {
        "seed": 0,
        "epochs": 200,
        "batch_size": 128,
        "device": "auto",
        "precision": "fp32",
        "compile": False,
        "sync_batch_norm": True,
        "log_every_steps": 500,
    }
    assert {name: tables[name]["use"] for name in ("data", "noise", "generator", "discriminator", "loss", "step")} == {
        "data": "mnist",
        "noise": "normal",
        "generator": "mlp",
        "discriminator": "mlp",
        "loss": "bce",
        "step": "alternating",
    }
    assert tables["noise"]["z_dim"] == 64
    assert tables["generator"]["hidden_dim"] == tables["discriminator"]["hidden_dim"] == 128
    adam = {"use": "adam", "lr": 1e-5, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.0, "amsgrad": False}
    assert tables["optimizer"] == {"generator": adam, "discriminator": adam}
    samples = tables["callbacks"]["samples"]
    assert (samples["use"], samples["every_steps"], samples["count"], samples["columns"]) == ("sample_grid", 500, 25, 5)
    assert ganfw.Training(ganfw.assemble(resolved)).total_steps == 93_800
