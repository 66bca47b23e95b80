"""The package as a plugin: what it offers, and what its README says."""

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import ganfw

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
REGISTRY = ganfw.discover()


def test_parts_are_discovered() -> None:
    plugin = next(plugin for plugin in REGISTRY.plugins if plugin.distribution == "ganfw-ray")

    assert (plugin.status, plugin.reason) == ("active", "")
    assert plugin.version == version("ganfw-ray")
    assert [(part.kind, part.name) for part in plugin.parts] == [("launcher", "ray")]


def test_every_key_is_documented_and_has_a_default() -> None:
    keys = REGISTRY.find("launcher", "ganfw-ray:ray").signature().keys

    assert all(key.help and not key.required for key in keys.values())
    assert re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE) == list(keys)


def test_sweeps_in_the_readme_are_right(tmp_path: Path) -> None:
    sweep, elsewhere = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "losses.toml").write_text(sweep.partition("[launcher]")[0] + elsewhere)
    command = [sys.executable, "-P", "-m", "ganfw", "sweep", "losses.toml", "--dry-run"]

    listed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    assert (listed.returncode, listed.stderr) == (0, "")
    assert listed.stdout.count("waiting") == 9
