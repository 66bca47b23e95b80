"""The package as a plugin: its parts keep their contract, and what it offers."""

import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch

import ganfw
from ganfw.testing import Check, checks_of

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.parametrize("check", checks_of("ganfw-example"), ids=str)
def test_parts_keep_their_contract(device: torch.device, check: Check, tmp_path: Path) -> None:
    check(tmp_path, device=device)


@pytest.fixture(scope="module")
def registry() -> ganfw.Registry:
    return ganfw.discover()


def test_parts_are_discovered(registry: ganfw.Registry) -> None:
    plugin = next(plugin for plugin in registry.plugins if plugin.distribution == "ganfw-example")
    assert (plugin.status, plugin.reason) == ("active", "")
    assert plugin.version == version("ganfw-example")
    assert [(part.kind, part.name) for part in plugin.parts] == [
        ("loss", "squared_hellinger"),
        ("noise", "hypersphere"),
        ("recipe", "mnist_mlp_hellinger"),
    ]


def test_recipe_changes_the_noise_the_loss_and_the_length_of_mnist_mlp(registry: ganfw.Registry) -> None:
    base = ganfw.Recipe.load("mnist_mlp", registry).tables
    recipe = ganfw.Recipe.load("mnist_mlp_hellinger", registry)
    assert {name for name in recipe.tables if recipe.tables[name] != base[name]} == {"run", "noise", "loss", "expect"}
    assert recipe.tables["run"] == {**base["run"], "epochs": 40}
    parts = ganfw.resolve(recipe, registry).parts
    assert {name for name in parts if parts[name].plugin.distribution == "ganfw-example"} == {"noise", "loss"}


def test_recipe_in_the_readme_is_right(registry: ganfw.Registry) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) == 1
    resolved = ganfw.resolve(ganfw.Recipe.parse(blocks[0]), registry)
    assert resolved.recipe.tables["noise"] == {"use": "hypersphere", "z_dim": 32}
    assert resolved.recipe.tables["loss"] == {"use": "squared_hellinger", "saturating": True}


def test_python_in_the_readme_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) == 1
    names: dict[str, Any] = {}
    exec(blocks[0], names)
    assert names["z"].shape == (5, 32)
