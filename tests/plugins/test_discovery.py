import hashlib
import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ganfw import PartError, PluginError, Registry, discover
from ganfw.plugins.registry import Plugin

HEAD = "from ganfw import Part, hookimpl\n\n\n"


def offering(*names: str, target: str = "no_such_module:Loss") -> str:
    """Return the source of a plugin that offers losses of these names."""
    parts = "\n".join(f"    yield Part(kind='loss', name='{name}', target='{target}')" for name in names)
    return f"{HEAD}@hookimpl\ndef ganfw_parts():\n{parts}\n"


def hook(body: str) -> str:
    """Return the source of a plugin whose hook has this body."""
    return f"{HEAD}@hookimpl\ndef ganfw_parts():\n    {body}\n"


class Site:
    """A folder on Python's path that distributions can be installed to: nothing in it is pretended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.modules: list[str] = []

    def write(self, module: str, source: str) -> None:
        (self.folder / f"{module}.py").write_text(source)
        self.modules.append(module)
        importlib.invalidate_caches()

    def install(self, name: str, source: str, *, version: str = "1.0", entry_points: str | None = None) -> None:
        """Install the distribution `name` with one module, which holds a plugin."""
        module = name.replace("-", "_")
        self.write(module, source)
        info = self.folder / f"{module}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(entry_points or f"[ganfw]\nplugin = {module}\n")
        importlib.invalidate_caches()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.delenv("GANFW_PLUGINS", raising=False)
    monkeypatch.delenv("GANFW_STRICT_PLUGINS", raising=False)
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    site = Site(folder)
    yield site
    for module in site.modules:
        sys.modules.pop(module, None)


def plugin_of(registry: Registry, distribution: str) -> Plugin:
    (found,) = (plugin for plugin in registry.plugins if plugin.distribution == distribution)
    return found


def losses_of(plugin: Plugin) -> list[str]:
    return [part.name for part in plugin.parts if part.kind == "loss"]


class TestInstalled:
    def test_an_installed_package_appears_with_its_name_version_and_parts(self, site: Site) -> None:
        site.install("ganfw-x", offering("wgan", "hinge"), version="2.5")
        plugin = plugin_of(discover(), "ganfw-x")
        assert (plugin.version, plugin.source, plugin.status, plugin.reason) == ("2.5", "ganfw_x", "active", "")
        assert losses_of(plugin) == ["wgan", "hinge"]

    def test_the_name_of_a_distribution_is_written_in_one_way(self, site: Site) -> None:
        site.install("Ganfw_X.y", offering("wgan"), entry_points="[ganfw]\nplugin = Ganfw_X.y\n")
        assert "ganfw-x-y" in [plugin.distribution for plugin in discover().plugins]

    def test_built_in_parts_come_through_the_same_door_first_of_all(self, site: Site) -> None:
        site.install("a-x", offering("wgan"))
        site.install("z-x", offering("wgan"))
        plugins = discover().plugins
        names = [plugin.distribution for plugin in plugins]
        assert (plugins[0].distribution, plugins[0].source) == ("ganfw", "ganfw.builtin")
        assert "bce" in losses_of(plugins[0])
        assert names[1:] == sorted(names[1:])

    def test_two_plugins_may_offer_one_name_and_only_the_bare_name_is_an_error(self, site: Site) -> None:
        site.write("loss_a", "class Loss: pass")
        site.write("loss_b", "class Loss: pass")
        site.install("a-x", offering("twofold", target="loss_a:Loss"))
        site.install("b-x", offering("twofold", target="loss_b:Loss"))
        registry = discover()
        found = [offer for offer in registry.parts("loss") if offer.part.name == "twofold"]
        assert [offer.qualified_name for offer in found] == ["a-x:twofold", "b-x:twofold"]
        with pytest.raises(PartError) as caught:
            registry.find("loss", "twofold")
        assert str(caught.value) == "loss 'twofold' is offered by 2 plugins; write 'a-x:twofold' or 'b-x:twofold'"
        assert registry.load("loss", "a-x:twofold").__module__ == "loss_a"
        assert registry.load("loss", "b-x:twofold").__module__ == "loss_b"

    def test_a_distribution_may_hold_several_plugins(self, site: Site) -> None:
        site.write("more_x", offering("hinge"))
        site.install("ganfw-x", offering("wgan"), entry_points="[ganfw]\na = ganfw_x\nb = more_x\n")
        plugins = [plugin for plugin in discover().plugins if plugin.distribution == "ganfw-x"]
        assert [losses_of(plugin) for plugin in plugins] == [["wgan"], ["hinge"]]

    def test_a_part_that_two_plugins_of_one_distribution_offer_counts_once(self, site: Site) -> None:
        site.write("more_x", offering("wgan"))
        site.install("ganfw-x", offering("wgan"), entry_points="[ganfw]\na = ganfw_x\nb = more_x\n")
        registry = discover()
        reasons = [plugin.reason for plugin in registry.plugins if plugin.distribution == "ganfw-x"]
        assert reasons == ["", "it offers loss 'wgan' twice; rename one"]
        assert registry.find("loss", "ganfw-x:wgan").plugin.source == "ganfw_x"

    @pytest.mark.parametrize("content", [None, b"", b"\xff"])
    def test_an_installation_that_was_cut_short_still_has_its_plugin(self, site: Site, content: bytes | None) -> None:
        site.install("ganfw-x", offering("wgan"))
        metadata = site.folder / "ganfw_x-1.0.dist-info" / "METADATA"
        if content is None:
            metadata.unlink()
        else:
            metadata.write_bytes(content)
        plugin = plugin_of(discover(), "plugin")
        assert (plugin.version, plugin.source, losses_of(plugin)) == ("unknown", "ganfw_x", ["wgan"])

    @pytest.mark.parametrize("file", ["METADATA", "PKG-INFO"])
    def test_name_and_version_are_those_of_the_headers(self, site: Site, file: str) -> None:
        site.install("ganfw-x", offering("wgan"))
        info = site.folder / "ganfw_x-1.0.dist-info"
        (info / "METADATA").unlink()
        (info / file).write_text("Name: Ganfw_X\r\nVersion: 2.5\r\nVersion: 9\r\n\r\nName: other\nVersion: 8\n")
        assert plugin_of(discover(), "ganfw-x").version == "2.5"

    def test_a_hook_may_return_a_list(self, site: Site) -> None:
        site.install("ganfw-x", hook("return [Part(kind='loss', name='wgan', target='a:b')]"))
        assert losses_of(plugin_of(discover(), "ganfw-x")) == ["wgan"]

    def test_an_object_in_a_module_can_be_the_plugin(self, site: Site) -> None:
        source = f"{HEAD}class Plugin:\n    @hookimpl\n    def ganfw_parts(self):\n        return []\n\nit = Plugin()\n"
        site.install("ganfw-x", source, entry_points="[ganfw]\nplugin = ganfw_x:it\n")
        plugin = plugin_of(discover(), "ganfw-x")
        assert (plugin.status, plugin.reason, plugin.parts) == ("active", "", ())

    def test_plugins_can_be_discovered_again(self, site: Site) -> None:
        site.install("ganfw-x", offering("wgan"))
        assert discover() == discover()


BROKEN = {
    "raises when imported": (
        "\nraise RuntimeError('no licence')",
        "RuntimeError: no licence (ganfw_x.py:2)",
    ),
    "exits when imported": ("import sys\nsys.exit('bye')", "SystemExit: bye (ganfw_x.py:2)"),
    "raises what is no Exception": ("raise BaseException", "BaseException (ganfw_x.py:1)"),
    "is no Python": ("def def", "SyntaxError: invalid syntax (ganfw_x.py, line 1)"),
    "imports what is not installed": (
        "import os\nimport no_such_module",
        "ModuleNotFoundError: No module named 'no_such_module' (ganfw_x.py:2)",
    ),
    "returns None": (hook("return None"), "ganfw_parts returned NoneType; it must return parts"),
    "returns a number": (hook("return 7"), "ganfw_parts returned int; it must return parts"),
    "returns strings": (hook("return ['wgan']"), "ganfw_parts gave str; it must give a Part each time"),
    "yields a class": (hook("yield Part"), "ganfw_parts gave type; it must give a Part each time"),
    "raises midway": (
        offering("wgan") + "    raise OSError('disk on fire')\n",
        "OSError: disk on fire (ganfw_x.py:7)",
    ),
    "exits midway": (offering("wgan") + "    raise SystemExit\n", "SystemExit (ganfw_x.py:7)"),
    "offers a part twice": (offering("wgan", "hinge", "wgan"), "it offers loss 'wgan' twice; rename one"),
    "writes a part wrongly": (
        offering("WGAN"),
        "ValueError: the name of a part must be written as [a-z][a-z0-9_]*, not 'WGAN' (ganfw_x.py:6)",
    ),
    "implements no hook": (
        "def ganfw_parts():\n    return []\n",
        "it must implement a hook, 'ganfw_parts' or 'ganfw_commands'",
    ),
    "implements an unknown hook": (
        offering("wgan") + "\n\n@hookimpl\ndef ganfw_partz(): ...\n",
        "unknown hook 'ganfw_partz' in plugin <module 'ganfw_x' from 'SITE/ganfw_x.py'>",
    ),
    "has a hook with an argument": (
        f"{HEAD}@hookimpl\ndef ganfw_parts(registry): ...\n",
        "Plugin 'ganfw-x ganfw_x' for hook 'ganfw_parts' hookimpl definition: ganfw_parts(registry) "
        "Argument(s) {'registry'} are declared in the hookimpl but can not be found in the hookspec",
    ),
}


@pytest.mark.parametrize(("source", "reason"), BROKEN.values(), ids=BROKEN)
class TestBroken:
    def test_a_broken_plugin_is_only_listed_with_its_reason(self, site: Site, source: str, reason: str) -> None:
        site.install("a-x", offering("before"))
        site.install("ganfw-x", source)
        site.install("z-x", offering("after"))
        registry = discover()
        plugin = plugin_of(registry, "ganfw-x")
        assert (plugin.status, plugin.parts) == ("failed", ())
        assert plugin.reason == reason.replace("SITE", str(site.folder))
        assert registry.find("loss", "before").plugin.distribution == "a-x"
        assert registry.find("loss", "after").plugin.distribution == "z-x"
        assert registry.find("loss", "bce").plugin.distribution == "ganfw"

    def test_where_plugins_must_not_fail_it_is_a_hard_stop(
        self, site: Site, monkeypatch: pytest.MonkeyPatch, source: str, reason: str
    ) -> None:
        monkeypatch.setenv("GANFW_STRICT_PLUGINS", "1")
        site.install("ganfw-x", source)
        with pytest.raises(PluginError) as caught:
            discover()
        assert str(caught.value) == f"plugin 'ganfw-x' failed: {reason.replace('SITE', str(site.folder))}"


class TestFailures:
    def test_a_missing_part_names_the_failed_plugin(self, site: Site) -> None:
        site.install("ganfw-x", "raise RuntimeError('no licence')")
        with pytest.raises(PartError) as caught:
            discover().find("loss", "zzz")
        assert str(caught.value) == (
            "no loss is named 'zzz'; plugin 'ganfw-x' might offer it but failed: "
            "RuntimeError: no licence (ganfw_x.py:1); see: ganfw parts loss"
        )

    def test_an_entry_point_that_leads_nowhere_is_a_failed_plugin(self, site: Site) -> None:
        site.install("ganfw-x", "", entry_points="[ganfw]\na = no_such_module\nb = ganfw_x:missing\nc = ganfw_x:\n")
        plugins = [plugin for plugin in discover().plugins if plugin.distribution == "ganfw-x"]
        assert [plugin.status for plugin in plugins] == ["failed"] * 3
        assert [plugin.reason for plugin in plugins[:2]] == [
            "ModuleNotFoundError: No module named 'no_such_module'",
            "AttributeError: module 'ganfw_x' has no attribute 'missing'",
        ]

    @pytest.mark.parametrize("value", ["None", "7", "'text'", "object"])
    def test_an_entry_point_that_names_junk_is_a_failed_plugin(self, site: Site, value: str) -> None:
        site.install("ganfw-x", f"it = {value}", entry_points="[ganfw]\nplugin = ganfw_x:it\n")
        plugin = plugin_of(discover(), "ganfw-x")
        assert (plugin.status, plugin.reason) == (
            "failed",
            "it must implement a hook, 'ganfw_parts' or 'ganfw_commands'",
        )

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"[ganfw]\nno equals sign\n", "its entry points cannot be read: "),
            (b"[console_scripts]\nno equals sign\n[ganfw]\nplugin = ganfw_x\n", "its entry points cannot be read: "),
            (b"[ganfw]\nna\xefve = ganfw_x\n", "its entry points cannot be read: UnicodeDecodeError: "),
        ],
    )
    def test_entry_points_that_cannot_be_read_are_a_failed_plugin(
        self, site: Site, content: bytes, reason: str
    ) -> None:
        site.install("ganfw-x", offering("wgan"))
        site.install("ganfw-y", offering("hinge"))
        (site.folder / "ganfw_x-1.0.dist-info" / "entry_points.txt").write_bytes(content)

        registry = discover()

        assert plugin_of(registry, "ganfw-x").reason.startswith(reason)
        assert [part.name for part in plugin_of(registry, "ganfw-y").parts] == ["hinge"]
        with pytest.raises(PluginError, match="plugin 'ganfw-x' failed: its entry points cannot be read"):
            discover(strict=True)

    def test_unreadable_entry_points_of_a_package_without_plugins_are_not_its_matter(self, site: Site) -> None:
        site.install("x", "", entry_points="[console_scripts]\nno equals sign\n")

        assert {plugin.status for plugin in discover(strict=True).plugins} == {"active"}

    def test_a_module_that_two_distributions_name_belongs_to_the_first(self, site: Site) -> None:
        site.install("a-x", offering("wgan"))
        site.install("b-x", "", entry_points="[ganfw]\nplugin = a_x\n")
        registry = discover()
        assert registry.find("loss", "wgan").plugin.distribution == "a-x"
        assert plugin_of(registry, "b-x").reason == "it is the same module as plugin 'a-x a_x'; remove one"

    def test_an_interrupt_in_a_plugin_is_an_interrupt(self, site: Site) -> None:
        site.install("ganfw-x", "raise KeyboardInterrupt")
        with pytest.raises(KeyboardInterrupt):
            discover()

    @pytest.mark.parametrize("value", ["0", "", "yes"])
    def test_plugins_may_fail_unless_the_variable_is_1(
        self, site: Site, monkeypatch: pytest.MonkeyPatch, value: str
    ) -> None:
        monkeypatch.setenv("GANFW_STRICT_PLUGINS", value)
        site.install("ganfw-x", "raise RuntimeError")
        assert plugin_of(discover(), "ganfw-x").status == "failed"

    def test_what_is_asked_for_in_python_goes_before_the_variable(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        site.install("ganfw-x", "raise RuntimeError('no licence')")
        with pytest.raises(PluginError) as caught:
            discover(strict=True)
        assert str(caught.value) == "plugin 'ganfw-x' failed: RuntimeError: no licence (ganfw_x.py:1)"
        monkeypatch.setenv("GANFW_STRICT_PLUGINS", "1")
        assert plugin_of(discover(strict=False), "ganfw-x").status == "failed"

    def test_a_blocked_plugin_does_not_fail(self, site: Site) -> None:
        site.install("ganfw-x", "raise RuntimeError")
        assert plugin_of(discover(blocked=["ganfw-x"], strict=True), "ganfw-x").status == "blocked"


class TestLoadingParts:
    @pytest.mark.parametrize(
        ("source", "reason"),
        [
            ("raise RuntimeError('no licence')", "cannot be loaded from 'loss_x:Loss': RuntimeError: no licence"),
            ("raise SystemExit", "cannot be loaded from 'loss_x:Loss': SystemExit"),
            ("", "cannot be loaded from 'loss_x:Loss': AttributeError: module 'loss_x' has no attribute 'Loss'"),
        ],
    )
    def test_a_part_that_cannot_be_loaded_takes_down_nothing_but_itself(
        self, site: Site, source: str, reason: str
    ) -> None:
        site.write("loss_x", source)
        site.install("ganfw-x", offering("wgan", target="loss_x:Loss"), version="1.2")
        registry = discover(strict=True)
        with pytest.raises(PartError) as caught:
            registry.load("loss", "wgan")
        assert str(caught.value) == f"loss 'wgan' (ganfw-x 1.2) {reason}"

    def test_a_part_that_is_no_class_or_function_is_an_error(self, site: Site) -> None:
        site.write("loss_x", "Loss = 'text'")
        site.install("ganfw-x", offering("wgan", target="loss_x:Loss"))
        with pytest.raises(PartError) as caught:
            discover().find("loss", "wgan").signature()
        assert str(caught.value) == "loss 'wgan' (ganfw-x 1.0): its target 'loss_x:Loss' must be a class or function"

    def test_a_qualified_name_of_a_package_that_is_not_installed_says_what_to_install(self, site: Site) -> None:
        with pytest.raises(PartError) as caught:
            discover().find("loss", "ganfw-none:zzz")
        assert str(caught.value) == (
            "no loss is named 'ganfw-none:zzz'; install its package: pip install ganfw-none; see: ganfw parts loss"
        )


class TestBlocking:
    def test_a_blocked_plugin_is_listed_but_never_imported(self, site: Site) -> None:
        site.install("ganfw-x", offering("wgan"))
        plugin = plugin_of(discover(blocked=["Ganfw_X"]), "ganfw-x")
        assert (plugin.status, plugin.reason, plugin.parts) == ("blocked", "", ())
        assert "ganfw_x" not in sys.modules

    def test_a_part_of_a_blocked_plugin_says_that_it_is_blocked(self, site: Site) -> None:
        site.install("ganfw-x", offering("wgan"))
        with pytest.raises(PartError) as caught:
            discover(blocked=["ganfw-x"]).find("loss", "ganfw-x:wgan")
        assert str(caught.value) == (
            "no loss is named 'ganfw-x:wgan'; plugin 'ganfw-x' is blocked by --no-plugin or GANFW_PLUGINS; "
            "see: ganfw parts loss"
        )

    @pytest.mark.parametrize(
        ("variable", "active"),
        [
            ("a-x,b-x", {"ganfw", "a-x", "b-x"}),
            (" B_X , ", {"ganfw", "b-x"}),
            ("", {"ganfw"}),
            ("ganfw", {"ganfw"}),
        ],
    )
    def test_the_variable_names_the_only_plugins_besides_the_built_in_ones(
        self, site: Site, monkeypatch: pytest.MonkeyPatch, variable: str, active: set[str]
    ) -> None:
        site.install("a-x", offering("wgan"))
        site.install("b-x", offering("hinge"))
        monkeypatch.setenv("GANFW_PLUGINS", variable)
        plugins = discover().plugins
        assert {plugin.distribution for plugin in plugins if plugin.status == "active"} == active
        assert {plugin.distribution for plugin in plugins} >= {"ganfw", "a-x", "b-x"}

    def test_a_plugin_that_is_both_allowed_and_blocked_is_blocked(self, site: Site) -> None:
        site.install("a-x", offering("wgan"))
        site.install("b-x", offering("hinge"))
        registry = discover(allowed=["a-x", "b-x"], blocked=["b-x"])
        assert plugin_of(registry, "a-x").status == "active"
        assert plugin_of(registry, "b-x").status == "blocked"

    def test_what_is_allowed_in_python_goes_before_the_variable(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        site.install("a-x", offering("wgan"))
        monkeypatch.setenv("GANFW_PLUGINS", "")
        assert plugin_of(discover(allowed=["a-x"]), "a-x").status == "active"

    def test_the_built_in_parts_cannot_be_blocked(self, site: Site) -> None:
        with pytest.raises(PluginError) as caught:
            discover(blocked=["ganfw"])
        assert str(caught.value) == "--no-plugin ganfw: the built-in parts cannot be blocked; leave it out"

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"blocked": ["wasserstien"]}, "--no-plugin: no plugin 'wasserstien' is installed; "),
            ({"allowed": ["wasserstien"]}, "GANFW_PLUGINS: no plugin 'wasserstien' is installed; "),
        ],
    )
    def test_a_name_of_no_installed_plugin_is_an_error(self, site: Site, options: dict[str, Any], message: str) -> None:
        with pytest.raises(PluginError) as caught:
            discover(**options)
        assert str(caught.value) == f"{message}see: ganfw plugins"
        site.install("wasserstein", offering("wgan"))
        with pytest.raises(PluginError) as caught:
            discover(**options)
        assert str(caught.value) == f"{message}did you mean 'wasserstein'?"

    def test_an_unknown_name_in_the_variable_is_an_error(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GANFW_PLUGINS", "ganfw,qqqq")
        with pytest.raises(PluginError) as caught:
            discover()
        assert str(caught.value) == "GANFW_PLUGINS: no plugin 'qqqq' is installed; see: ganfw plugins"


@pytest.fixture
def script(site: Site, tmp_path: Path) -> Path:
    """Return the path of a plugin script that offers the loss `mine`, with the part itself in it."""
    path = tmp_path / "my_parts.py"
    path.write_text(offering("mine", target="my_parts:Loss") + "\n\nclass Loss:\n    pass\n")
    site.modules.append("my_parts")
    return path


class TestScripts:
    def test_a_script_offers_parts_under_its_name_and_the_hash_of_the_file(self, script: Path) -> None:
        registry = discover(scripts=[script])
        plugin = registry.plugins[-1]
        assert (plugin.distribution, plugin.source, plugin.status) == ("my_parts.py", str(script), "active")
        assert plugin.version == f"sha256:{hashlib.sha256(script.read_bytes()).hexdigest()}"
        assert registry.find("loss", "my_parts.py:mine") == registry.find("loss", "mine")
        assert registry.load("loss", "mine") is sys.modules["my_parts"].Loss

    def test_a_script_may_be_given_relative_to_the_working_directory(
        self, script: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(script.parent)
        plugin = discover(scripts=["./my_parts.py"]).plugins[-1]
        assert (plugin.source, plugin.status) == ("my_parts.py", "active")
        assert sys.modules["my_parts"].__file__ == str(script)

    def test_a_script_may_lie_on_the_path_of_python(self, script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.syspath_prepend(script.parent)
        assert discover(scripts=[script]).plugins[-1].status == "active"

    def test_a_script_that_is_given_twice_counts_once(self, script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(script.parent)
        registry = discover(scripts=[script, "my_parts.py", script])
        assert [plugin.distribution for plugin in registry.plugins].count("my_parts.py") == 1

    def test_a_script_that_was_changed_is_read_anew(self, script: Path) -> None:
        first = discover(scripts=[script]).plugins[-1]
        script.write_text(script.read_text().replace("mine", "ours"))
        second = discover(scripts=[script]).plugins[-1]
        assert (losses_of(first), losses_of(second)) == (["mine"], ["ours"])
        assert first.version != second.version

    def test_reading_a_script_leaves_nothing_beside_it(self, script: Path) -> None:
        before = sorted(script.parent.iterdir())
        discover(scripts=[script])
        assert sorted(script.parent.iterdir()) == before

    def test_a_script_is_loaded_whatever_the_variable_allows(
        self, script: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GANFW_PLUGINS", "")
        assert discover(scripts=[script]).plugins[-1].status == "active"

    def test_two_scripts_can_be_given(self, site: Site, script: Path) -> None:
        other = script.with_name("other_parts.py")
        other.write_text(offering("theirs"))
        site.modules.append("other_parts")
        assert [losses_of(plugin) for plugin in discover(scripts=[script, other]).plugins[-2:]] == [
            ["mine"],
            ["theirs"],
        ]

    @pytest.mark.parametrize(
        ("source", "reason"),
        [
            ("\nraise RuntimeError('no licence')", "RuntimeError: no licence (my_parts.py:2)"),
            ("raise SystemExit", "SystemExit (my_parts.py:1)"),
            ("def def", "SyntaxError: invalid syntax (my_parts.py, line 1)"),
            ("x = 1", "it must implement a hook, 'ganfw_parts' or 'ganfw_commands'"),
            (hook("return 7"), "ganfw_parts returned int; it must return parts"),
        ],
    )
    def test_a_broken_script_is_an_error(self, script: Path, source: str, reason: str) -> None:
        script.write_text(source)
        with pytest.raises(PluginError) as caught:
            discover(scripts=[script])
        assert str(caught.value) == f"--plugin {script}: {reason}"

    def test_a_script_that_raises_leaves_no_module_behind(self, script: Path) -> None:
        script.write_text("raise RuntimeError")
        with pytest.raises(PluginError):
            discover(scripts=[script])
        assert "my_parts" not in sys.modules

    def test_a_script_that_was_mended_can_be_loaded(self, script: Path) -> None:
        source = script.read_text()
        script.write_text(hook("return 7"))
        with pytest.raises(PluginError):
            discover(scripts=[script])
        script.write_text(source)
        assert losses_of(discover(scripts=[script]).plugins[-1]) == ["mine"]

    def test_a_missing_script_is_an_error(self, site: Site, tmp_path: Path) -> None:
        path = tmp_path / "none.py"
        with pytest.raises(PluginError) as caught:
            discover(scripts=[path])
        assert str(caught.value) == f"--plugin {path}: No such file or directory"

    def test_a_folder_is_no_script(self, site: Site, tmp_path: Path) -> None:
        with pytest.raises(PluginError) as caught:
            discover(scripts=[tmp_path])
        assert str(caught.value) == f"--plugin {tmp_path}: Is a directory"

    def test_a_file_without_the_suffix_of_python_is_no_script(self, script: Path) -> None:
        path = script.rename(script.with_suffix(".txt"))
        with pytest.raises(PluginError) as caught:
            discover(scripts=[path])
        assert str(caught.value) == f"--plugin {path}: it must be a Python file"

    @pytest.mark.parametrize("name", ["my-parts", "json", "ganfw", "solo", "1st", "importlib", "wave"])
    def test_a_script_whose_name_is_taken_or_is_no_module_name_is_an_error(
        self, site: Site, script: Path, name: str
    ) -> None:
        site.install("solo", offering("wgan"))
        path = script.rename(script.with_stem(name))
        with pytest.raises(PluginError) as caught:
            discover(scripts=[path])
        assert str(caught.value) == (
            f"--plugin {path}: the name '{name}' is taken or is not a module name; rename the file"
        )

    def test_two_scripts_of_one_name_are_an_error(self, script: Path) -> None:
        folder = script.parent / "more"
        folder.mkdir()
        other = folder / script.name
        other.write_text(script.read_text())
        with pytest.raises(PluginError) as caught:
            discover(scripts=[script, other])
        assert str(caught.value) == (
            f"--plugin {other}: the name 'my_parts' is taken or is not a module name; rename the file"
        )

    def test_an_interrupt_in_a_script_is_an_interrupt(self, script: Path) -> None:
        script.write_text("raise KeyboardInterrupt")
        with pytest.raises(KeyboardInterrupt):
            discover(scripts=[script])


def imported_after(code: str, site: Site) -> set[str]:
    """Run code in a Python of its own and return the modules that it has imported at the end."""
    end = "import sys\nprint('\\nmodules', *sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(site.folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{end}"], env=environment, capture_output=True, text=True, check=True
    )
    last = re.search(r"^modules (.*)$", done.stdout, re.MULTILINE)
    assert last is not None
    return set(last.group(1).split())


class TestImports:
    @pytest.mark.parametrize(
        "code",
        [
            "import ganfw",
            "import ganfw; assert len(list(ganfw.discover().parts())) > 10",
            "import ganfw; ganfw.Recipe.load('mnist_mlp')",
            "from ganfw.cli import main; main(['parts'], standalone_mode=False)",
            "from ganfw.cli import main; main(['parts', 'loss', '--json'], standalone_mode=False)",
            "from ganfw.cli import main; main(['plugins'], standalone_mode=False)",
            "from ganfw.cli import main; main(['recipes'], standalone_mode=False)",
        ],
    )
    def test_listing_imports_neither_torch_nor_the_module_of_a_part(self, site: Site, code: str) -> None:
        site.write("loss_x", "import torch\n\n\nclass Loss:\n    pass\n")
        site.install("ganfw-x", offering("wgan", target="loss_x:Loss"))
        imported = imported_after(code, site)
        assert "ganfw" in imported
        assert imported.isdisjoint({"torch", "torchvision", "numpy", "loss_x"})
        assert not any(name.startswith("ganfw.builtin.") for name in imported)

    def test_describing_a_part_imports_that_part_alone(self, site: Site) -> None:
        site.write("loss_x", "class Loss:\n    pass\n")
        site.write("loss_y", "raise SystemExit")
        source = (
            offering("wgan", target="loss_x:Loss") + "    yield Part(kind='loss', name='y', target='loss_y:Loss')\n"
        )
        site.install("ganfw-x", source)
        code = "from ganfw.cli import main; main(['parts', 'loss', 'wgan'], standalone_mode=False)"
        imported = imported_after(code, site)
        assert "loss_x" in imported
        assert imported.isdisjoint({"torch", "loss_y"})


def verb(name: str, body: str = "click.echo('done')") -> str:
    """Return the source of a plugin that adds a verb."""
    return (
        "import click\nfrom ganfw import GanfwError, Part, hookimpl\n\n\n@hookimpl\ndef ganfw_commands(group):\n"
        f"    @group.command('{name}', short_help='Do it.')\n    def command():\n        {body}\n"
    )


def ganfw(site: Site, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a command in a process of its own, where the plugins of the site are installed."""
    return subprocess.run(
        [sys.executable, "-m", "ganfw", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(site.folder), *sys.path]), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


class TestCommands:
    def test_a_plugin_without_parts_adds_a_verb(self, site: Site) -> None:
        site.install("ganfw-x", verb("compare"))

        assert "\n  compare          Do it.\n" in ganfw(site, "--help").stdout
        done = ganfw(site, "compare")
        assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
        plugin = plugin_of(discover(), "ganfw-x")
        assert (plugin.status, plugin.parts) == ("active", ())

    def test_a_plugin_may_have_parts_and_verbs(self, site: Site) -> None:
        site.install("ganfw-x", verb("compare") + offering("mine").removeprefix(HEAD))

        assert ganfw(site, "compare").stdout == "done\n"
        assert losses_of(plugin_of(discover(), "ganfw-x")) == ["mine"]

    def test_an_error_of_a_verb_is_printed_as_those_of_other_verbs(self, site: Site) -> None:
        site.install("ganfw-x", verb("compare", "raise GanfwError('there is nothing to compare')"))
        done = ganfw(site, "compare")
        assert (done.returncode, done.stderr) == (2, "Error: there is nothing to compare\n")

    @pytest.mark.parametrize(
        ("source", "told"),
        [
            (verb("parts"), "plugin 'ganfw-x' adds no verbs: there is a verb 'parts' already; rename it"),
            (
                "from ganfw import hookimpl\n\n\n@hookimpl\ndef ganfw_commands(group):\n    raise SystemExit('bye')\n",
                "plugin 'ganfw-x' adds no verbs: SystemExit: bye (ganfw_x.py:6)",
            ),
            (
                "from ganfw import hookimpl\n\n\n@hookimpl\ndef ganfw_commands(group):\n    group.add_command(7)\n",
                "plugin 'ganfw-x' adds no verbs: AttributeError: 'int' object has no attribute 'name' (core.py:",
            ),
            ("raise RuntimeError('no licence')", "plugin 'ganfw-x' failed: RuntimeError: no licence (ganfw_x.py:1)"),
            (
                verb("compare").replace("ganfw_commands", "ganfw_comands"),
                "plugin 'ganfw-x' failed: unknown hook 'ganfw_comands' in plugin <module 'ganfw_x'",
            ),
        ],
    )
    def test_a_plugin_that_cannot_add_its_verbs_is_left_out(self, site: Site, source: str, told: str) -> None:
        site.install("ganfw-x", source)
        site.install("z-x", verb("compare"))

        done = ganfw(site, "compare")
        assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
        assert done.stderr.startswith(told)
        assert done.stderr.count("\n") == 1
        assert ganfw(site, "parts", "loss").stdout.startswith("loss  numbers from logits\n")
        strict = ganfw(site, "--help", GANFW_STRICT_PLUGINS="1")
        assert strict.returncode == 2
        assert strict.stderr.startswith(f"Error: {told}")

    def test_of_two_plugins_with_one_verb_the_second_is_left_out(self, site: Site) -> None:
        site.install("a-x", verb("compare", "click.echo('a')"))
        site.install("b-x", verb("compare", "click.echo('b')"))

        done = ganfw(site, "compare")
        assert done.stdout == "a\n"
        assert done.stderr == "plugin 'b-x' adds no verbs: there is a verb 'compare' already; rename it\n"

    def test_a_blocked_plugin_adds_no_verb(self, site: Site) -> None:
        site.install("ganfw-x", verb("compare"))
        done = ganfw(site, "compare", GANFW_PLUGINS="")
        assert (done.returncode, "No such command 'compare'" in done.stderr) == (2, True)

    def test_help_and_verbs_of_ganfw_import_neither_torch_nor_what_a_verb_needs(self, site: Site) -> None:
        site.write("heavy_x", "import torch\n")
        site.install("ganfw-x", verb("compare", "import heavy_x"))
        code = "from ganfw.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass"
        imported = imported_after(code, site)
        assert "ganfw_x" in imported
        assert imported.isdisjoint({"torch", "torchvision", "numpy", "heavy_x"})


class TestSideEffects:
    def test_a_plugin_that_prints_spoils_no_json_and_is_named(self, site: Site) -> None:
        site.write("loss_x", "print('hello again')\nclass Loss:\n    '''A loss.'''\n")
        site.install("ganfw-x", "print('hello')\n" + offering("mine", target="loss_x:Loss"))

        listing = ganfw(site, "parts", "loss", "--json")
        assert "mine" in [part["name"] for part in json.loads(listing.stdout)]
        assert listing.stderr == (
            "hello\nplugin 'ganfw-x' prints, which is shown on standard error: it should not, while it is loaded\n"
        )
        part = ganfw(site, "parts", "loss", "ganfw-x:mine", "--json")
        assert json.loads(part.stdout)["name"] == "mine"
        assert "hello again\n" in part.stderr

    @pytest.mark.parametrize(
        ("deed", "told"),
        [
            ("import os; os.chdir('/')", "changes the working directory, which is undone"),
            ("import torch; torch.set_default_dtype(torch.float64)", "changes torch's default dtype, which is undone"),
            ("import torch; torch.set_grad_enabled(False)", "switches gradients on or off, which is undone"),
        ],
    )
    def test_what_a_plugin_changes_is_undone_and_reported(
        self, site: Site, capsys: pytest.CaptureFixture[str], deed: str, told: str
    ) -> None:
        import torch

        before = (Path.cwd(), torch.get_default_dtype(), torch.is_grad_enabled())
        site.install("ganfw-x", f"{deed}\n{offering('mine')}")

        assert losses_of(plugin_of(discover(), "ganfw-x")) == ["mine"]

        assert (Path.cwd(), torch.get_default_dtype(), torch.is_grad_enabled()) == before
        assert capsys.readouterr().err == f"plugin 'ganfw-x' {told}: it should not, while it is loaded\n"
