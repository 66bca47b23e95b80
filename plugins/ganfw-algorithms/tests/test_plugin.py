"""The package as a plugin: what it offers, and that its parts and recipes keep their contracts."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from small_recipes import calibrating, small, with_learnt_sharpness, with_shared_layers

import ganfw
from ganfw.testing import Check, checks_of

README = Path(__file__).parents[1] / "README.md"
REGISTRY = ganfw.discover()
BASES = {
    "mnist_acgan": ("discriminator mlp_classes", "regularizer auxiliary_classifier", "metric label_agreement"),
    "mnist_slant": (
        *("data mnist_slant", "generator mlp_number", "discriminator mlp_number", "sampler number_traversal"),
        "metric slant_error",
    ),
    "mnist_100_labels": (
        *("data mnist_few_labels", "discriminator mlp_open_set", "step semi_supervised", "callback test_error"),
    ),
    "mnist_infogan": (
        *("network code_reader", "regularizer augmented_information", "sampler traversal"),
        *("callback code_purity", "noise codes"),
    ),
    "mnist_bigan": (
        *("network mlp_encoder", "discriminator mlp_pairs", "step bigan", "sampler reconstruction"),
        "callback linear_probe",
    ),
    "mnist_aae": ("network mlp_codes", "step aae", "callback autoencoding"),
    "mnist_vaegan": (
        "network mlp_gaussian_encoder",
        "discriminator mlp_similarity",
        "step vaegan",
        "callback reconstructed_features",
    ),
    "mnist_pix2pix": (
        "generator translator",
        "discriminator patch_pairs",
        "step pix2pix",
        "data mnist_outlines",
        "discriminator multi_scale_patch_pairs",
    ),
    "mnist_cyclegan": (
        *("network translator", "discriminator patch", "network patch", "step cyclegan"),
        "callback translation_error",
    ),
    "grid_d2gan": ("network mlp_discriminator", "step d2gan"),
    "grid_ebgan": ("discriminator mlp_autoencoder", "loss energy_margin", "regularizer pulling_away"),
    "mnist_began": ("step began",),
    "ring_unrolled": ("generator mlp_even", "discriminator mlp_even", "step unrolled"),
    "grid_gman": ("step gman",),
}
"""The recipe that each part is tried in; those that are not named go into ganfw's own small recipe."""
PARAMETERS = {
    "generator mlp_classes": {"hidden_dim": 4},
    "discriminator mlp_classes": {"hidden_dim": 4},
    "data mnist_slant": {"split": "test"},
    "generator mlp_number": {"hidden_dim": 4},
    "discriminator mlp_number": {"hidden_dim": 4},
    "discriminator mlp_open_set": {"hidden_dim": 2, "input_noise": 0.0, "hidden_noise": 0.0},
    "discriminator mlp_features": {"hidden_dim": 4},
    "network code_reader": {"channels": 2, "hidden_dim": 4},
    "noise codes": {"noise_dim": 4, "categories": 3},
    "network code_head": {"features": 4, "hidden_dim": 4},
    "network mlp_encoder": {"hidden_dim": 2},
    "discriminator mlp_pairs": {"hidden_dim": 2, "dropout": 0.0},
    "callback code_purity": {"count": 20},
    "callback linear_probe": {"labels": 30, "every_steps": 100},
    "network mlp_codes": {"hidden_dim": 2},
    "network mlp_gaussian_encoder": {"hidden_dim": 2},
    "discriminator mlp_similarity": {"hidden_dim": 4},
    "callback reconstructed_features": {"count": 20},
    "data mnist_few_labels": {"split": "test"},
    "data mnist_outlines": {"split": "test"},
    "generator translator": {"channels": 2, "blocks": 1},
    "network translator": {"channels": 2, "blocks": 1},
    "discriminator patch": {"channels": 2},
    "network patch": {"channels": 2},
    "discriminator patch_pairs": {"channels": 2},
    "step cyclegan": {"pool": 0, "cycle_weight": 2.0},  # larger, rounding at the kinks of the cycle term shows
    "discriminator multi_scale_patch_pairs": {"channels": 2},
    "step bigan": {"r1_weight": 0.1},
    "callback translation_error": {"count": 20},
    "sampler rejection": {"estimated": 50},
    "sampler metropolis_hastings": {"chain": 3},
    "sampler latent_langevin": {"steps": 3},
    "discriminator mlp_packed": {"hidden_dim": 4},
    "step top_k": {"every_steps": 1, "decay": 0.8},
    "data densest": {"embedding": "ganfw:pixels", "keep": 0.01},
    "network mlp_discriminator": {"hidden_dim": 4},
    "discriminator mlp_autoencoder": {"hidden_dim": 4, "code_dim": 3},
    "regularizer pulling_away": {"group": 4},
    "generator mlp_even": {"hidden_dim": 4},
    "discriminator mlp_even": {"hidden_dim": 4},
}
LEAVING_OUT = {
    "discriminator mlp_open_set: gives no probabilities": "log Z is below 0 only where the logits of all classes are",
    "step began: trains in two processes": "k is a mean over the rows of one process",
    "step gman: trains in two processes": "each weights by the losses of its own rows; with λ = 0, see test_gman.py",
    "step unrolled: trains in two processes": "each unrolls on its own rows",
    "step discriminator_only: trains compiled": "optimizes the generator, too; see test_discriminator_only.py",
    "step discriminator_only: trains in two processes": "optimizes the generator, too; see `alternating`",
    "step top_k: trains in two processes": "each chooses among its own rows; where the share is 1, see test_top_k.py",
}
WITHOUT_NOISE = {
    "mnist_100_labels": ("discriminator.input_noise=0.0", "discriminator.hidden_noise=0.0"),
}
"""Networks that draw nothing, so that it is seen what else does."""
SHARING = ("discriminator mlp_features", "network code_head", "regularizer information", "regularizer feature_matching")
"""Parts that are tried with InfoGAN's term of the paper."""
SLOW = ("trains compiled", "trains in two processes", "trains in bf16", "resumes exactly", "repeats itself", "runs")
"""Checks that train, and take seconds each; `test_recipes.py` resumes small forms of all recipes."""
SMALL = {recipe: small(recipe, REGISTRY, *WITHOUT_NOISE.get(recipe, ())) for recipe in BASES}


def trained_with_another(recipe: str) -> list[str]:
    """Return the parts that a recipe uses, all but the step, or the first one: what checks train is the same run."""
    resolved = ganfw.resolve(SMALL[recipe], REGISTRY)
    used = {f"{each.part.kind} {each.part.name}" for each in resolved.parts.values()}
    own = sorted((part for part in BASES[recipe] if part in used), key=lambda part: not part.startswith("step "))
    return own[1:]


REPEATED = {part for recipe in BASES for part in trained_with_another(recipe)}
CHECKS = [
    check
    for check in checks_of(
        "ganfw-algorithms",
        registry=REGISTRY,
        bases={part: SMALL[recipe] for recipe, parts in BASES.items() for part in parts}
        | dict.fromkeys(SHARING, with_shared_layers(REGISTRY))
        | {"network sharpness": with_learnt_sharpness(REGISTRY), "step discriminator_only": calibrating(REGISTRY)},
        parameters=PARAMETERS,
        leaving_out=LEAVING_OUT,
    )
    if not (check.name in SLOW and check.subject in REPEATED)
]


def test_plugin_is_discovered() -> None:
    plugin = next(plugin for plugin in REGISTRY.plugins if plugin.distribution == "ganfw-algorithms")
    assert (plugin.status, plugin.reason) == ("active", "")
    assert plugin.version == version("ganfw-algorithms")
    assert len({check.subject for check in CHECKS}) == 1 + len(plugin.parts)


@pytest.mark.parametrize(
    "check",
    [pytest.param(check, marks=[pytest.mark.slow] if check.name in SLOW else [], id=str(check)) for check in CHECKS],
)
def test_parts_keep_their_contract(
    device: torch.device, check: Check, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check(tmp_path, device=device)
    assert "not compiled" not in capsys.readouterr().err  # each loss is compiled whole


def test_recipe_in_the_readme_is_right() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", README.read_text(), re.DOTALL)
    experiment = ganfw.assemble(ganfw.resolve(ganfw.Recipe.parse(block), REGISTRY))
    assert experiment.networks["discriminator"].pack == 4
