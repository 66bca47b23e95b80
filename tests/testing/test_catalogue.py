"""The checks of a package as a list, and what is checked of packages and recipes as a whole."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import ganfw
from ganfw import Part, PluginError, Registry
from ganfw.plugins.registry import Plugin, RegisteredPart
from ganfw.testing import checks_of, hooks, recipes
from ganfw.testing.catalogue import OF_PARTS, OF_PLUGINS, OF_RECIPES

PARTS = (
    Part(kind="loss", name="one", target="no.module:One"),
    Part(kind="schedule", name="two", target="no.module:Two"),
    Part(kind="recipe", name="three", target="no.module:three.toml"),
    Part(kind="potion", name="four", target="no.module:Four"),
)


@pytest.fixture
def with_plugin(registry: Registry) -> Registry:
    return Registry((*registry.plugins, Plugin("ganfw-x", "1.0", "ganfw_x", PARTS)))


def test_every_kind_of_part_has_checks_of_its_own() -> None:
    common = set(OF_PARTS["loss"]) & set(OF_PARTS["noise"])

    assert sorted([*OF_PARTS, "recipe"]) == sorted(ganfw.plugins.part.KINDS)
    assert len(common) == 5
    assert all(len(set(checks) - common) >= 2 for checks in OF_PARTS.values())
    assert all(check.__doc__ for checks in OF_PARTS.values() for check in checks)


def test_every_part_of_the_package_has_all_checks_of_its_kind(with_plugin: Registry) -> None:
    checks = checks_of("Ganfw_X", registry=with_plugin)

    names = [str(check) for check in checks]
    assert (
        len(names)
        == len(set(names))
        == len(OF_PLUGINS) + len(OF_PARTS["loss"]) + len(OF_PARTS["schedule"]) + len(OF_RECIPES)
    )
    assert "loss one: gradients have the right signs" in names
    assert "plugin ganfw-x: hooks import nothing heavy" in names
    assert "recipe three: says what to expect" in names


def test_a_check_can_be_left_out_by_its_name(with_plugin: Registry) -> None:
    name = "loss one: is a mean"

    checks = checks_of("ganfw-x", registry=with_plugin, leaving_out={name: "it is a sum"})

    assert name not in map(str, checks)
    assert len(checks) == len(checks_of("ganfw-x", registry=with_plugin)) - 1


def test_what_is_not_there_is_refused(with_plugin: Registry) -> None:
    with pytest.raises(PluginError) as caught:
        checks_of("ganfw-y", registry=with_plugin)
    assert str(caught.value) == "no plugin 'ganfw-y' is installed: pip install -e . in its folder"

    with pytest.raises(PluginError) as caught:
        checks_of("ganfw-x", registry=with_plugin, leaving_out={"loss one: is mean": "a slip"})
    assert (
        str(caught.value)
        == "the check 'loss one: is mean', which should be left out, does not exist; see the names of all: checks_of(…)"
    )

    with pytest.raises(PluginError) as caught:
        checks_of("ganfw-x", registry=with_plugin, parameters={"loss won": {"size": 1}})
    assert str(caught.value) == (
        "parameters are given for 'loss won', which is not there; there are loss one, plugin ganfw-x, recipe three, "
        "schedule two"
    )


def test_parameters_reach_the_part(registry: Registry, tmp_path: Path) -> None:
    parameters = {"noise truncated": {"threshold": -1}}
    (check,) = (
        check
        for check in checks_of("ganfw", registry=registry, parameters=parameters)
        if str(check) == "noise truncated: builds with its defaults"
    )

    with pytest.raises(ganfw.RecipeError, match=r"noise.threshold must be >= 0, not -1"):
        check(tmp_path)


def complaint(plugin: Plugin, check: Callable[[Plugin, Path], None], tmp_path: Path) -> str:
    with pytest.raises(AssertionError) as caught:
        check(plugin, tmp_path)
    return str(caught.value)


def test_a_complaint_names_what_it_is_about(registry: Registry, tmp_path: Path) -> None:
    empty = Registry((*registry.plugins, Plugin("ganfw-x", "1.0", "ganfw_x")))

    with pytest.raises(AssertionError) as caught:
        checks_of("ganfw-x", registry=empty)[0](tmp_path)
    assert str(caught.value) == "plugin 'ganfw-x': it offers no part"


def test_a_plugin_that_failed_or_is_empty_is_reported(tmp_path: Path) -> None:
    failed = Plugin("ganfw-x", "1.0", "ganfw_x", status="failed", reason="ImportError: No module named 'x'")

    assert complaint(failed, hooks.is_active, tmp_path) == ("it is failed: ImportError: No module named 'x'")
    assert complaint(Plugin("ganfw-x", "1.0", "ganfw_x"), hooks.is_active, tmp_path) == "it offers no part"


def test_a_hook_that_imports_torch_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "slow_plugin.py").write_text("import torch\n")
    (tmp_path / "broken_plugin.py").write_text("import nothing_of_this_name\n")
    (tmp_path / "light_plugin.py").write_text("import json\n")

    hooks.hooks_import_nothing_heavy(Plugin("ganfw-x", "1.0", "light_plugin"), tmp_path)
    hooks.hooks_import_nothing_heavy(Plugin("x.py", "1.0", str(tmp_path / "light_plugin.py")), tmp_path)
    for source in ("slow_plugin", str(tmp_path / "slow_plugin.py")):
        told = complaint(Plugin("ganfw-x", "1.0", source), hooks.hooks_import_nothing_heavy, tmp_path)
        assert told == (
            f"importing '{source}', as every listing does, imports torch, numpy: import it only in the "
            "modules of the parts"
        )
    told = complaint(Plugin("ganfw-x", "1.0", "broken_plugin"), hooks.hooks_import_nothing_heavy, tmp_path)
    assert told.startswith("importing 'broken_plugin' fails:\nTraceback")
    assert "No module named 'nothing_of_this_name'" in told


HEADER = """\
# Trains for an hour to show that hours pass.
#
#   command   ganfw run hours
#   short     ganfw run hours --set run.epochs=1
#   expect    nothing much
#   takes     an hour

extends = "mnist_mlp"
"""


@pytest.mark.parametrize(
    ("wrong", "right", "told"),
    [
        ("#   takes     an hour\n", "", "its header has no line '#   takes   …'"),
        (
            "# Trains for an hour to show that hours pass.\n#\n",
            "",
            "its file does not begin with a comment that says what the recipe is for",
        ),
    ],
)
def test_a_recipe_without_a_header_is_reported(
    wrong: str, right: str, told: str, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "recipe_plugin"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "recipe_plugin", raising=False)
    part = Part(kind="recipe", name="hours", target="recipe_plugin:hours.toml", help="hours")
    offer = RegisteredPart(part, Plugin("ganfw-x", "1.0", "recipe_plugin", (part,)))

    (package / "hours.toml").write_text(HEADER)
    recipes.says_what_to_expect(offer, registry, tmp_path)
    (package / "hours.toml").write_text(HEADER.replace(wrong, right))
    with pytest.raises(AssertionError) as caught:
        recipes.says_what_to_expect(offer, registry, tmp_path)

    assert str(caught.value) == told


def test_a_package_that_imports_what_is_not_public_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    package = tmp_path / "curious_plugin"
    package.mkdir()
    (package / "__init__.py").write_text("import json\nfrom ganfw import Part\nfrom . import part\n")
    (package / "hooks.py").write_text("import ganfw\n")
    part = package / "part.py"
    part.write_text("from ganfw.testing import checks_of\nfrom curious_plugin.hooks import ganfw\n")
    alone = tmp_path / "alone_plugin.py"
    alone.write_text("import ganfw.training.loop\n")

    hooks.uses_only_public_names(Plugin("ganfw-x", "1.0", "curious_plugin.hooks"), tmp_path)
    part.write_text("from ganfw.builtin.mlp import MLPGenerator\nfrom ganfw import Party\n")
    for source in ("curious_plugin", "curious_plugin.hooks:hooks"):
        told = complaint(Plugin("ganfw-x", "1.0", source), hooks.uses_only_public_names, tmp_path)
        assert told == ("part.py imports ganfw.Party, ganfw.builtin.mlp.MLPGenerator, not public: see dir(ganfw)")
    part.write_text("from ganfw import *\nfrom ganfw.testing.subject import Subject\n")
    told = complaint(Plugin("ganfw-x", "1.0", "curious_plugin"), hooks.uses_only_public_names, tmp_path)
    assert "part.py imports ganfw.testing.subject.Subject, not public" in told
    told = complaint(Plugin("ganfw-x", "1.0", "nowhere_plugin"), hooks.uses_only_public_names, tmp_path)
    assert told == "no module of 'nowhere_plugin' is found"
    for source in ("alone_plugin", str(alone)):
        told = complaint(Plugin("ganfw-x", "1.0", source), hooks.uses_only_public_names, tmp_path)
        assert told == "alone_plugin.py imports ganfw.training.loop, not public: see dir(ganfw)"
