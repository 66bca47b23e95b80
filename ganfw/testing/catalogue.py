"""Which checks there are for each kind of part, and those of a package as a list."""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import torch
from attrs import field, frozen
from packaging.utils import canonicalize_name

from ganfw.errors import PluginError
from ganfw.plugins.discovery import discover
from ganfw.plugins.registry import Plugin, RegisteredPart, Registry
from ganfw.recipe.document import Recipe
from ganfw.testing import (
    augmentations,
    averages,
    callbacks,
    datasets,
    embeddings,
    hooks,
    launchers,
    losses,
    metrics,
    modes,
    networks,
    noises,
    optimizers,
    parts,
    recipes,
    regularizers,
    samplers,
    schedules,
    steps,
)
from ganfw.testing.recipe import small_recipe
from ganfw.testing.subject import Subject

OF_PLUGINS = (hooks.is_active, hooks.hooks_import_nothing_heavy, hooks.uses_only_public_names)
"""The checks of a plugin as a whole: `check(plugin, folder)`."""

OF_RECIPES = (recipes.is_right, recipes.says_what_to_expect, recipes.runs, recipes.resumes_exactly)
"""The checks of a recipe: `check(registered, registry, folder, overrides)`."""

Overrides = Sequence[str]
_CheckOfPart = Callable[[Subject], None]
_ALWAYS = (parts.is_documented, parts.builds_with_its_defaults)
_IN_TRAINING = (*_ALWAYS, parts.trains, parts.repeats_itself, parts.resumes_exactly)
_IN_THE_STEP = (*_IN_TRAINING, modes.trains_in_bf16, modes.trains_compiled)
_OF_NETWORKS = (
    *_IN_THE_STEP,
    networks.every_parameter_learns,
    networks.does_not_change_its_input,
    networks.moves_to_another_device,
)
_OF_DISCRIMINATORS = (
    networks.gives_logits,
    networks.gives_no_probabilities,
    networks.gradients_reach_the_samples,
)


def _checks_in(module: ModuleType) -> tuple[_CheckOfPart, ...]:
    """Return the checks that a module holds: its own public functions, in their order."""
    functions = (each for name, each in vars(module).items() if inspect.isfunction(each) and not name.startswith("_"))
    return tuple(each for each in functions if each.__module__ == module.__name__)


OF_PARTS: Mapping[str, tuple[_CheckOfPart, ...]] = MappingProxyType(
    {
        "data": (*_IN_TRAINING, *_checks_in(datasets)),
        "noise": (*_IN_TRAINING, *_checks_in(noises)),
        "generator": (*_OF_NETWORKS, networks.gives_samples, networks.samples_are_independent),
        "discriminator": (*_OF_NETWORKS, *_OF_DISCRIMINATORS),
        "network": _OF_NETWORKS,
        "loss": (*_IN_THE_STEP, *_checks_in(losses)),
        "regularizer": (*_IN_THE_STEP, *_checks_in(regularizers)),
        "augmentation": (*_IN_THE_STEP, *_checks_in(augmentations)),
        "optimizer": (*_IN_TRAINING, *_checks_in(optimizers)),
        "schedule": (*_IN_TRAINING, *_checks_in(schedules)),
        "averaging": (*_IN_TRAINING, *_checks_in(averages)),
        "step": (*_IN_THE_STEP, modes.trains_in_two_processes, *_checks_in(steps)),
        "sampler": (*_IN_TRAINING, *_checks_in(samplers)),
        "callback": (*_IN_TRAINING, *_checks_in(callbacks)),
        "embedding": (*_ALWAYS, *_checks_in(embeddings)),
        "metric": (*_ALWAYS, *_checks_in(metrics)),
        "launcher": (parts.is_documented, *_checks_in(launchers)),
    }
)
"""The checks of each kind of part: `check(subject)`."""


@frozen
class Check:
    """One thing that must be true of one part; called, it raises `AssertionError` if it is not.

    Attributes:
        subject: the part: `"loss wgan"`, or the package: `"plugin ganfw-x"`.
        name: what must be true: `"gradients have the right signs"`.
    """

    subject: str
    name: str
    _owner: str = field(repr=False)
    _function: Callable[[Path, Overrides], None] = field(repr=False)

    def __call__(self, folder: Path, *, device: torch.device | str | None = None) -> None:
        """Check it.

        Args:
            folder: an empty folder, for runs; pytest's `tmp_path`.
            device: where the part is tried; by default, where the recipe says that it goes into.

        Raises:
            AssertionError: it is not true; the message names the part and what is wrong.
            SkipTest: it cannot be found out on this device; pytest then skips the test.
        """
        try:
            self._function(folder, () if device is None else (f"run.device={device}",))
        except AssertionError as error:
            raise AssertionError(f"{self._owner}: {error}") from error

    def __str__(self) -> str:
        return f"{self.subject}: {self.name}"


def checks_of(
    distribution: str,
    *,
    registry: Registry | None = None,
    base: Recipe | None = None,
    bases: Mapping[str, Recipe] | None = None,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    leaving_out: Mapping[str, str] | None = None,
) -> list[Check]:
    """Return every check of every part that a package offers, to be called one by one.

    Each part is tried in a recipe in which all other parts are ganfw's own. In a test file:

        @pytest.mark.parametrize("check", checks_of("ganfw-x"), ids=str)
        def test_parts_keep_their_contract(check, tmp_path):
            check(tmp_path)

    Args:
        distribution: the package, as pip knows it; it must be installed.
        registry: where parts are found; by default, what `discover` finds.
        base: the recipe that each part goes into; by default `small_recipe`, small networks on MNIST. Parts for
            another form of samples need one with such data.
        bases: recipes that single parts go into instead, by kind and name: `{"step bigan": recipe}`. A network part
            needs one with `[networks.NAME]`, whose step calls that network.
        parameters: keys to set, by kind and name: `{"data shapes": {"size": 100}}`.
        leaving_out: checks that are not made, and why: `{"noise x: coordinates vary": "the last one is a constant"}`.

    Raises:
        PluginError: no such plugin is installed, or `bases`, `parameters` or `leaving_out` have an unknown name.
    """
    registry = registry or discover()
    wanted = canonicalize_name(distribution)
    found = [plugin for plugin in registry.plugins if canonicalize_name(plugin.distribution) == wanted]
    if not found:
        raise PluginError(f"no plugin '{distribution}' is installed: pip install -e . in its folder")
    base = base or small_recipe(registry)
    checks = [check for plugin in found for check in _checks(plugin, registry, base, bases or {}, parameters or {})]
    subjects = {check.subject for check in checks}
    for what, given in (("parameters are", parameters), ("a base is", bases)):
        for name in given or {}:
            if name not in subjects:
                raise PluginError(
                    f"{what} given for '{name}', which is not there; there are {', '.join(sorted(subjects))}"
                )
    names = {str(check) for check in checks}
    for name in leaving_out or {}:
        if name not in names:
            raise PluginError(
                f"the check '{name}', which should be left out, does not exist; see the names of all: checks_of(…)"
            )
    return [check for check in checks if str(check) not in (leaving_out or {})]


def _checks(
    plugin: Plugin,
    registry: Registry,
    base: Recipe,
    bases: Mapping[str, Recipe],
    parameters: Mapping[str, Mapping[str, Any]],
) -> Iterator[Check]:
    label, owner = f"plugin {plugin.distribution}", f"plugin '{plugin.distribution}'"
    for of_plugin in OF_PLUGINS:
        yield Check(label, _name(of_plugin), owner, functools.partial(_check_plugin, of_plugin, plugin))
    for part in plugin.parts:
        registered, label = RegisteredPart(part, plugin), f"{part.kind} {part.name}"
        if part.kind == "recipe":
            for of_recipe in OF_RECIPES:
                check_in = functools.partial(of_recipe, registered, registry)
                yield Check(label, _name(of_recipe), str(registered), check_in)
        keys = parameters.get(label, {})
        subject_in = functools.partial(Subject, registered, registry, bases.get(label, base), parameters=keys)
        for of_part in OF_PARTS.get(part.kind, ()):
            yield Check(label, _name(of_part), str(registered), functools.partial(_check_in, of_part, subject_in))


def _check_plugin(check: Callable[[Plugin, Path], None], plugin: Plugin, folder: Path, _overrides: Overrides) -> None:
    check(plugin, folder)


def _check_in(check: _CheckOfPart, subject_in: Callable[[Path], Subject], folder: Path, overrides: Overrides) -> None:
    check(subject_in(folder).again(*overrides))


def _name(check: Callable[..., None]) -> str:
    return check.__name__.replace("_", " ")
