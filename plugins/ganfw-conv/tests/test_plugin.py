"""The package as a plugin: what it offers, and that its parts and recipes keep their contracts."""

import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from progressive_recipes import small_progressive
from style_recipes import small_style

import ganfw
from ganfw.testing import Check, check_exact_resume, checks_of, small_recipe

README = Path(__file__).parents[1] / "README.md"
NETWORKS = tuple(f"{name}{end}" for name in ("dcgan", "resnet", "style", "r3gan") for end in ("", "_conditional"))
KEYS = {
    "dcgan": {"base_channels": 4},
    "resnet": {"channels": 8},
    "style": {"base_channels": 2, "most_channels": 4},
    "r3gan": {"base_channels": 8},
}
COLOUR = (
    *(f"cifar10_{name}" for name in ("dcgan", "resnet", "resnet_conditional", "r3gan", "style")),
    *(f"images_{name}_64" for name in ("dcgan", "resnet", "r3gan", "style")),
)
"""Recipes whose data is not here."""
SMALL = {
    **{f"{kind} {name}": KEYS[name.partition("_")[0]] for kind in ("generator", "discriminator") for name in NETWORKS},
    **{f"{kind} progressive": {"base_channels": 2, "most_channels": 4} for kind in ("generator", "discriminator")},
    "regularizer path_length": {"every_steps": 1},
}


def test_parts_are_discovered(registry: ganfw.Registry) -> None:
    plugin = next(plugin for plugin in registry.plugins if plugin.distribution == "ganfw-conv")
    assert (plugin.status, plugin.reason) == ("active", "")
    assert plugin.version == version("ganfw-conv")
    assert [(part.kind, part.name) for part in plugin.parts] == [
        *(("generator", name) for name in (*NETWORKS, "progressive")),
        *(("discriminator", name) for name in (*NETWORKS, "progressive")),
        ("step", "progressive"),
        ("regularizer", "path_length"),
        ("sampler", "style"),
        ("recipe", "mnist_dcgan"),
        ("recipe", "mnist_resnet"),
        ("recipe", "mnist_dcgan_conditional"),
        ("recipe", "mnist_style"),
        ("recipe", "mnist_progressive"),
        ("recipe", "mnist_conv_fast"),
        ("recipe", "mnist_r3gan"),
        ("recipe", "stacked_mnist_r3gan"),
        *(("recipe", name) for name in COLOUR),
    ]


REGISTRY = ganfw.discover()
CHECKS = checks_of(
    "ganfw-conv",
    registry=REGISTRY,
    bases=dict.fromkeys(["regularizer path_length", "sampler style"], small_style(REGISTRY))
    | dict.fromkeys(["generator progressive", "discriminator progressive"], small_progressive(REGISTRY))
    | {"step progressive": small_progressive(REGISTRY, "discriminator.group=1")},  # groups are of one process
    parameters=SMALL,
    leaving_out={
        f"recipe {name}: {check}": "its data is not here; test_colour_recipes.py trains it on images that it draws"
        for name in COLOUR
        for check in ("runs", "resumes exactly")
    }
    | {
        f"{kind} progressive: trains compiled": "the step's check compiles both networks"
        for kind in ("generator", "discriminator")
    },
)

SLOWLY_COMPILED = (" style", " style_conditional", " path_length", " progressive")


def is_slow(check: Check) -> bool:
    """Whether a check takes a minute: compilers need long for networks of many different layers."""
    return check.name == "trains compiled" and check.subject.endswith(SLOWLY_COMPILED)


def test_every_part_and_recipe_is_checked() -> None:
    assert len({check.subject for check in CHECKS}) == 1 + 16 + 3 + 2 + 8 + 9


@pytest.mark.parametrize(
    "check",
    [pytest.param(check, marks=[pytest.mark.slow] if is_slow(check) else [], id=str(check)) for check in CHECKS],
)
def test_parts_keep_their_contract(device: torch.device, check: Check, tmp_path: Path) -> None:
    check(tmp_path, device=device)


@pytest.mark.parametrize(
    ("generator", "discriminator"),
    [
        ({"use": "dcgan_conditional", "base_channels": 4}, {"use": "resnet_conditional", "channels": 8}),
        ({"use": "style_conditional", "base_channels": 2}, {"use": "style", "base_channels": 2, "group": 3}),
        ({"use": "resnet", "channels": 8, "attention": 14}, {"use": "dcgan", "norm": "spectral", "base_channels": 4}),
    ],
)
def test_pair_of_networks_resumes_bit_for_bit(
    registry: ganfw.Registry, tmp_path: Path, generator: dict[str, object], discriminator: dict[str, object]
) -> None:
    recipe = ganfw.Recipe(name="pair", extends=small_recipe(registry), generator=generator, discriminator=discriminator)
    check_exact_resume(recipe, registry, tmp_path, stop_at=3, steps=5)


def test_recipe_in_the_readme_is_right(registry: ganfw.Registry) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) == 1
    experiment = ganfw.assemble(ganfw.resolve(ganfw.Recipe.parse(blocks[0]), registry))
    assert experiment.networks["generator"].num_classes == 10


def test_python_in_the_readme_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) == 1
    names: dict[str, Any] = {}
    exec(blocks[0], names)
    assert names["images"].shape == (5, 3, 32, 32)
