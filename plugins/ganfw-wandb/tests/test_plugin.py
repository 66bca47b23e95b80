"""The package as a plugin: what it offers, and that its README is right."""

import re
from importlib.metadata import version
from pathlib import Path

import ganfw

README = Path(__file__).parents[1] / "README.md"


def test_the_part_is_discovered(registry: ganfw.Registry) -> None:
    plugin = next(plugin for plugin in registry.plugins if plugin.distribution == "ganfw-wandb")
    assert (plugin.status, plugin.reason) == ("active", "")
    assert plugin.version == version("ganfw-wandb")
    assert [(part.kind, part.name) for part in plugin.parts] == [("callback", "wandb")]


def test_every_key_is_in_the_readme(registry: ganfw.Registry) -> None:
    keys = registry.find("callback", "ganfw-wandb:wandb").signature().keys
    assert list(keys) == re.findall(r"^\| `(\w+)` \|", README.read_text(), re.MULTILINE)


def test_recipe_in_the_readme_is_right(registry: ganfw.Registry) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) == 1
    callbacks = ganfw.resolve(ganfw.Recipe.parse(blocks[0]), registry).recipe.tables["callbacks"]
    assert callbacks["wandb"] == {"use": "wandb", "project": "digits", "mode": "offline", "checkpoint": True}
