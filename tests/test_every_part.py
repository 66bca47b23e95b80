"""One visit to every part and every recipe that ganfw ships."""

from pathlib import Path

import pytest
import torch
from _pytest.mark import ParameterSet

import ganfw
from ganfw import Recipe, Registry
from ganfw.recipe.tables import DEFAULT_TABLES
from ganfw.testing import Check, checks_of, small_recipe
from ganfw.testing.catalogue import OF_PARTS, OF_PLUGINS, OF_RECIPES

REGISTRY = ganfw.discover(allowed=())
OFFERS = list(REGISTRY.parts())
SMALL = small_recipe(REGISTRY)
POINTS = Recipe(
    name="points",
    extends=SMALL,
    data={"use": "grid", "size": 5000},
    generator={"output": "linear"},
    callbacks={"samples": {"use": "sample_scatter"}},
)
STACKED = Recipe(name="stacked", extends=SMALL, data={"use": "stacked_mnist", "size": 500})
JUDGED = Recipe(
    name="judged",
    extends=SMALL,
    embedding={"use": "pixels", "side": 2},
    metrics={
        name: {"enabled": False}
        for name in ("classifier_score", *DEFAULT_TABLES["metrics"])
        if name != "frechet_distance"
    },
)
BASES = {
    "data ring": POINTS,
    "data grid": POINTS,
    "callback evaluate": JUDGED,
    "callback sample_scatter": POINTS,
    "callback sample_lines": POINTS,
    "sampler translation": Recipe(name="translated", extends=POINTS, noise={"z_dim": 2}),
    "metric ring_modes": POINTS,
    "metric grid_modes": POINTS,
    "embedding stacked_mnist_classifier": STACKED,
    "metric stacked_modes": STACKED,
}
"""The recipe that a part goes into, where it is not for the images of MNIST."""

LEFT_OUT = {
    f"embedding inception: {check}": "its weights are downloaded, by a package that is an extra"
    for check in ("builds with its defaults", "gives features", "embeds each sample independently")
}


CHECKS = checks_of("ganfw", registry=REGISTRY, base=SMALL, bases=BASES, leaving_out=LEFT_OUT)


def test_every_kind_is_visited() -> None:
    counts = {kind: sum(offer.part.kind == kind for offer in OFFERS) for kind in ganfw.discover(allowed=()).kinds()}

    assert counts == {
        "data": 4,
        "noise": 3,
        "generator": 1,
        "discriminator": 1,
        "network": 0,
        "loss": 7,
        "regularizer": 5,
        "augmentation": 0,
        "optimizer": 4,
        "schedule": 2,
        "averaging": 1,
        "step": 1,
        "sampler": 1,
        "callback": 9,
        "embedding": 5,
        "metric": 10,
        "launcher": 1,
        "recipe": 15,
    }


def test_every_part_is_visited_by_every_check_of_its_kind() -> None:
    visited = {check.subject for check in CHECKS}

    assert {f"{offer.part.kind} {offer.part.name}" for offer in OFFERS} == visited - {"plugin ganfw"}
    assert len(OFFERS) == 70
    assert len(CHECKS) == len(OF_PLUGINS) - len(LEFT_OUT) + sum(
        len(OF_RECIPES if offer.part.kind == "recipe" else OF_PARTS[offer.part.kind]) for offer in OFFERS
    )


SLOW = (
    "trains",
    "trains compiled",
    "trains in two processes",
    "repeats itself",
    "resumes exactly",
    "does not change training",
)
"""The checks that train, some of them several times, or compile: a second or more each."""


def in_turn(checks: list[Check]) -> list[ParameterSet]:
    """Mark the checks that take long."""
    return [pytest.param(check, marks=pytest.mark.slow if check.name in SLOW else ()) for check in checks]


@pytest.mark.parametrize("check", in_turn(CHECKS), ids=str)
def test_parts_keep_their_contract(device: torch.device, check: Check, tmp_path: Path) -> None:
    check(tmp_path, device=device)


def test_every_recipe_says_which_results_it_expects_of_a_few_steps() -> None:
    recipes = [Recipe.load(part.part.name, REGISTRY) for part in REGISTRY.parts("recipe")]
    expected = {each.name: ganfw.resolve(each, REGISTRY).expectations.get("quick") for each in recipes}

    assert len(expected) == 15
    for name, expectation in expected.items():
        assert expectation, f"{name} has no [expect.quick]"
        assert len(expectation.runs.seeds) >= 5, name
        assert {"frechet_distance", "loss/discriminator", "loss/generator"} <= expectation.within.keys(), name


def test_the_reference_recipe_is_the_reference_gan(registry: Registry) -> None:
    resolved = ganfw.resolve(Recipe.load("mnist_mlp", registry), registry)
    tables = resolved.recipe.tables

    assert tables["run"] == {
        "seed": 0,
        "epochs": 200,
        "batch_size": 128,
        "device": "auto",
        "precision": "fp32",
        "tf32": False,
        "compile": "auto",
        "accumulate": 1,
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
