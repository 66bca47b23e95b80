"""The package as a plugin: what it offers, and that its recipe trains."""

import re
from importlib.metadata import version
from pathlib import Path

import ganfw

README = Path(__file__).parents[1] / "README.md"


def test_parts_are_discovered(registry: ganfw.Registry) -> None:
    plugin = next(plugin for plugin in registry.plugins if plugin.distribution == "ganfw-tensorboard")
    assert (plugin.status, plugin.reason) == ("active", "")
    assert plugin.version == version("ganfw-tensorboard")
    assert [(part.kind, part.name) for part in plugin.parts] == [
        ("callback", "tensorboard"),
        ("recipe", "mnist_mlp_tensorboard"),
    ]


def test_every_key_is_documented_and_has_a_default(registry: ganfw.Registry) -> None:
    keys = registry.find("callback", "ganfw-tensorboard:tensorboard").signature().keys.values()
    assert all(key.help and not key.required for key in keys)
    assert len(keys) == 5


def test_recipe_adds_the_callback_to_mnist_mlp(registry: ganfw.Registry, tmp_path: Path) -> None:
    base = ganfw.Recipe.load("mnist_mlp", registry).tables
    recipe = ganfw.Recipe.load("mnist_mlp_tensorboard", registry)
    assert {name for name in recipe.tables if recipe.tables[name] != base[name]} == {"run", "callbacks", "expect"}
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
