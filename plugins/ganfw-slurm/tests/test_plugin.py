"""The package as a plugin: what it offers, and that its README is right."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import ganfw

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture(scope="module")
def registered() -> ganfw.Registry:
    return ganfw.discover()


def test_the_part_is_discovered(registered: ganfw.Registry) -> None:
    plugin = next(plugin for plugin in registered.plugins if plugin.distribution == "ganfw-slurm")
    assert (plugin.status, plugin.reason) == ("active", "")
    assert plugin.version == version("ganfw-slurm")
    assert [(part.kind, part.name) for part in plugin.parts] == [("launcher", "slurm")]


def test_every_key_is_in_the_readme(registered: ganfw.Registry) -> None:
    keys = registered.find("launcher", "ganfw-slurm:slurm").signature().keys
    assert list(keys) == re.findall(r"^\| `(\w+)` \|", README.read_text(), re.MULTILINE)


def test_the_table_in_the_readme_is_right(registered: ganfw.Registry) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) == 1
    table = tomllib.loads(blocks[0])["launcher"]
    part = registered.find("launcher", table.pop("use"))
    keys = part.signature().keys
    assert [name for name, value in table.items() if keys[name].complaint(value)] == []
    assert part.build({}, {**table, "executor": "local"}).jobs == 20
