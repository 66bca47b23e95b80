"""The package as a plugin: what it offers, what it imports, and that its recipe trains."""

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

import ganfw
import ganfw_example
from ganfw.testing import check_exact_resume, recipe_using

MODULES = sorted(Path(ganfw_example.__file__).parent.glob("*.py"))
README = Path(__file__).parents[1] / "README.md"
SMALL = {
    "run": {"max_steps": 5, "batch_size": 16, "log_every_steps": 5, "device": "cpu"},
    "generator": {"hidden_dim": 4},
    "discriminator": {"hidden_dim": 4},
}


@pytest.fixture(scope="module")
def registry() -> ganfw.Registry:
    return ganfw.discover()


def imported_names(module: Path) -> Iterator[str]:
    """Yield what a module imports, dotted: `"torch"`, `"ganfw.Part"`."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_parts_are_discovered(registry: ganfw.Registry) -> None:
    plugin = next(plugin for plugin in registry.plugins if plugin.distribution == "ganfw-example")
    assert (plugin.status, plugin.reason) == ("active", "")
    assert plugin.version == version("ganfw-example")
    assert [(part.kind, part.name) for part in plugin.parts] == [
        ("loss", "squared_hellinger"),
        ("noise", "hypersphere"),
        ("recipe", "mnist_mlp_hellinger"),
    ]


def test_only_public_names_of_ganfw_are_imported() -> None:
    names = {name for module in MODULES for name in imported_names(module) if name.split(".")[0] == "ganfw"}
    assert names == {"ganfw.Part", "ganfw.hookimpl"}
    assert names <= {f"ganfw.{name}" for name in ganfw.__all__}


def test_hook_module_imports_nothing_heavy() -> None:
    roots = {name.split(".")[0] for name in imported_names(Path(ganfw_example.__file__))}
    assert roots - sys.stdlib_module_names == {"ganfw"}


def test_recipe_changes_the_noise_the_loss_and_the_length_of_mnist_mlp(registry: ganfw.Registry) -> None:
    base = ganfw.Recipe.load("mnist_mlp", registry).tables
    recipe = ganfw.Recipe.load("mnist_mlp_hellinger", registry)
    assert {name for name in recipe.tables if recipe.tables[name] != base[name]} == {"run", "noise", "loss"}
    assert recipe.tables["run"] == {**base["run"], "epochs": 40}
    offers = ganfw.resolve(recipe, registry).offers
    assert {name for name in offers if offers[name].plugin.distribution == "ganfw-example"} == {"noise", "loss"}


def test_recipe_trains(registry: ganfw.Registry, tmp_path: Path) -> None:
    recipe = ganfw.Recipe(extends="mnist_mlp_hellinger", registry=registry, **SMALL)
    experiment = ganfw.assemble(ganfw.resolve(recipe, registry))
    before = [parameter.clone() for parameter in experiment.generator.parameters()]
    training = ganfw.train(experiment, directory=ganfw.create_run_directory(tmp_path, experiment))
    assert training.step == 5
    assert training.means.keys() == {"loss/discriminator", "loss/generator"}
    assert all(abs(mean) < 10 for mean in training.means.values())
    assert not any(map(torch.equal, before, experiment.generator.parameters()))


def test_recipe_in_the_readme_is_right(registry: ganfw.Registry) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) == 1
    resolved = ganfw.resolve(ganfw.Recipe.parse(blocks[0]), registry)
    assert resolved.recipe.tables["noise"] == {"use": "hypersphere", "z_dim": 32}
    assert resolved.recipe.tables["loss"] == {"use": "squared_hellinger", "saturating": True}


def test_python_in_the_readme_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) == 1
    names: dict[str, torch.Tensor] = {}
    exec(blocks[0], names)
    assert names["z"].shape == (5, 32)


@pytest.mark.parametrize(("kind", "name"), [("loss", "squared_hellinger"), ("noise", "hypersphere")])
def test_part_resumes_bit_for_bit(registry: ganfw.Registry, tmp_path: Path, kind: str, name: str) -> None:
    small = ganfw.Recipe(name="small", extends=ganfw.Recipe.load("mnist_mlp", registry), **SMALL)
    recipe = recipe_using(registry.find(kind, f"ganfw-example:{name}"), small)

    check_exact_resume(recipe, registry, tmp_path)
