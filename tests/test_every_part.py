"""One visit to every part and every recipe that ganfw ships."""

from pathlib import Path

import pytest

import ganfw
from ganfw import Recipe, Registry
from ganfw.testing import Check, checks_of
from ganfw.testing.catalogue import OF_PARTS, OF_RECIPES

OFFERS = list(ganfw.discover(allowed=()).offers())
EXTRA = "it needs torch-fidelity, an extra, and weights from the network"
LEFT_OUT = {f"embedding inception: {name}": EXTRA for name in ("gives features", "embeds each sample alone")}
CHECKS = checks_of("ganfw", registry=ganfw.discover(allowed=()), leaving_out=LEFT_OUT)


def test_every_kind_is_visited() -> None:
    counts = {kind: sum(offer.part.kind == kind for offer in OFFERS) for kind in ganfw.discover(allowed=()).kinds()}

    assert counts == {
        "data": 1,
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
        "callback": 7,
        "embedding": 4,
        "metric": 7,
        "recipe": 10,
    }


def test_every_part_is_visited_by_every_check_of_its_kind() -> None:
    visited = {check.subject for check in CHECKS}

    assert {f"{offer.part.kind} {offer.part.name}" for offer in OFFERS} == visited - {"plugin ganfw"}
    assert len(OFFERS) == 49
    assert len(CHECKS) + len(LEFT_OUT) == 2 + sum(
        len(OF_RECIPES if offer.part.kind == "recipe" else OF_PARTS[offer.part.kind]) for offer in OFFERS
    )


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_parts_keep_their_contract(check: Check, tmp_path: Path) -> None:
    check(tmp_path)


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
