"""The package as a plugin: what it offers, what it imports, and that its recipe trains."""

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import ganfw
import ganfw_tensorboard

MODULES = sorted(Path(ganfw_tensorboard.__file__).parent.glob("*.py"))
README = Path(__file__).parents[1] / "README.md"


def imported_names(module: Path) -> Iterator[str]:
    """Yield what a module imports, dotted: `"torch"`, `"ganfw.Part"`."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_parts_are_discovered(registry: ganfw.Registry) -> None:
    plugin = next(plugin for plugin in registry.plugins if plugin.distribution == "ganfw-tensorboard")
    assert (plugin.status, plugin.reason) == ("active", "")
    assert plugin.version == version("ganfw-tensorboard")
    assert [(part.kind, part.name) for part in plugin.parts] == [
        ("callback", "tensorboard"),
        ("recipe", "mnist_mlp_tensorboard"),
    ]


def test_only_public_names_of_ganfw_are_imported() -> None:
    names = {name for module in MODULES for name in imported_names(module) if name.split(".")[0] == "ganfw"}
    assert names == {
        "ganfw.Callback",
        "ganfw.Part",
        "ganfw.Training",
        "ganfw.call_with_labels",
        "ganfw.hookimpl",
        "ganfw.image_grid",
        "ganfw.sample",
    }
    assert names <= {f"ganfw.{name}" for name in ganfw.__all__}


def test_hook_module_imports_nothing_heavy() -> None:
    roots = {name.split(".")[0] for name in imported_names(Path(ganfw_tensorboard.__file__))}
    assert roots - sys.stdlib_module_names == {"ganfw"}


def test_every_key_is_documented_and_has_a_default(registry: ganfw.Registry) -> None:
    keys = registry.find("callback", "ganfw-tensorboard:tensorboard").signature().keys.values()
    assert all(key.help and not key.required for key in keys)
    assert len(keys) == 5


def test_recipe_adds_the_callback_to_mnist_mlp(registry: ganfw.Registry, tmp_path: Path) -> None:
    base = ganfw.Recipe.load("mnist_mlp", registry).tables
    recipe = ganfw.Recipe.load("mnist_mlp_tensorboard", registry)
    assert {name for name in recipe.tables if recipe.tables[name] != base[name]} == {"run", "callbacks"}
    experiment = ganfw.assemble(ganfw.resolve(recipe, registry))
    assert ganfw.train(experiment, steps=2, directory=tmp_path).finished
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1


def test_recipe_in_the_readme_is_right(registry: ganfw.Registry) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) == 1
    callbacks = ganfw.resolve(ganfw.Recipe.parse(blocks[0]), registry).recipe.tables["callbacks"]
    assert callbacks["tensorboard"] == {
        "use": "tensorboard",
        "grid_every_windows": 1,
        "histogram_every_windows": 20,
        "count": 25,
        "columns": 5,
        "logits": 512,
    }
