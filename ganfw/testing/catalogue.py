"""Which checks there are for each kind of part, and those of a package as a list."""

import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

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
    hooks,
    losses,
    metrics,
    networks,
    noises,
    optimizers,
    parts,
    recipes,
    regularizers,
    schedules,
    steps,
)
from ganfw.testing.recipe import small_recipe
from ganfw.testing.subject import Subject

OF_PLUGINS = (hooks.is_active, hooks.hooks_import_nothing_heavy, hooks.uses_public_names_alone)
"""The checks of a plugin as a whole: `check(plugin, folder)`."""

OF_RECIPES = (recipes.is_right, recipes.tells_what_to_expect, recipes.runs, recipes.resumes_exactly)
"""The checks of a recipe: `check(offer, registry, folder)`."""

_ALWAYS = (parts.is_documented, parts.builds_with_its_defaults)
_IN_TRAINING = (*_ALWAYS, parts.trains, parts.repeats_itself, parts.resumes_exactly)

OF_PARTS: Mapping[str, tuple[Callable[[Subject, Path], None], ...]] = MappingProxyType(
    {
        "data": (*_IN_TRAINING, datasets.serves_samples, datasets.is_the_same_every_time),
        "noise": (
            *_IN_TRAINING,
            noises.draws_vectors,
            noises.draws_from_the_generator_alone,
            noises.rows_are_independent,
            noises.coordinates_vary,
            noises.truncation_shrinks,
        ),
        "generator": (
            *_IN_TRAINING,
            networks.gives_samples,
            networks.samples_stand_alone,
            networks.every_parameter_learns,
            networks.leaves_its_input_alone,
            networks.moves_to_another_device,
        ),
        "discriminator": (
            *_IN_TRAINING,
            networks.gives_logits,
            networks.gives_no_probabilities,
            networks.gradients_reach_the_samples,
            networks.every_parameter_learns,
            networks.leaves_its_input_alone,
            networks.moves_to_another_device,
        ),
        "loss": (
            *_IN_TRAINING,
            losses.gives_finite_scalars,
            losses.is_a_mean,
            losses.gradients_have_the_right_signs,
            losses.gradients_are_right,
            losses.draws_nothing,
        ),
        "regularizer": (
            *_IN_TRAINING,
            regularizers.does_something,
            regularizers.gives_finite_scalars,
            regularizers.gradients_reach_the_network,
            regularizers.draws_from_the_context_alone,
            regularizers.leaves_the_networks_alone,
            regularizers.constrains_within_reason,
        ),
        "augmentation": (
            *_IN_TRAINING,
            augmentations.keeps_the_form,
            augmentations.lets_gradients_through,
            augmentations.treats_rows_alone,
            augmentations.changes_each_row_in_its_own_way,
            augmentations.draws_from_the_draws_alone,
            augmentations.tells_statistics,
        ),
        "optimizer": (*_IN_TRAINING, optimizers.holds_the_parameters, optimizers.descends),
        "schedule": (*_IN_TRAINING, schedules.gives_factors, schedules.follows_from_the_step_alone),
        "averaging": (
            *_IN_TRAINING,
            averages.network_can_be_sampled,
            averages.update_moves_the_mean,
            averages.state_comes_back,
        ),
        "step": (
            *_IN_TRAINING,
            steps.trains_both_networks,
            steps.each_update_is_of_its_own_network,
            steps.gives_statistics,
            steps.draws_from_the_generator_alone,
        ),
        "callback": (*_IN_TRAINING, callbacks.handles_events_that_exist, callbacks.leaves_training_alone),
        "embedding": (*_ALWAYS, metrics.gives_features, metrics.embeds_each_sample_alone),
        "metric": (
            *_ALWAYS,
            metrics.measures,
            metrics.measures_the_same_every_time,
            metrics.measures_without_probabilities,
        ),
    }
)
"""The checks of each kind of part: `check(subject, folder)`."""


@frozen
class Check:
    """One thing that must be true of one part; called, it raises `AssertionError` if it is not.

    Attributes:
        subject: the part: `"loss wgan"`, or the package: `"plugin ganfw-x"`.
        name: what must be true: `"gradients have the right signs"`.
    """

    subject: str
    name: str
    _function: Callable[[Path], None] = field(repr=False)

    def __call__(self, folder: Path) -> None:
        """Check it.

        Args:
            folder: an empty folder, for runs; pytest's `tmp_path`.

        Raises:
            AssertionError: it is not true; the message names the part and what is wrong.
        """
        self._function(folder)

    def __str__(self) -> str:
        return f"{self.subject}: {self.name}"


def checks_of(
    distribution: str,
    *,
    registry: Registry | None = None,
    base: Recipe | None = None,
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
        parameters: keys to set, by kind and name: `{"data shapes": {"size": 100}}`.
        leaving_out: checks that are not made, and why: `{"noise x: coordinates vary": "the last one is a constant"}`.

    Raises:
        PluginError: no such plugin is installed, or `parameters` or `leaving_out` name what is not there.
    """
    registry = registry or discover()
    found = [plugin for plugin in registry.plugins if _same(plugin.distribution, distribution)]
    if not found:
        raise PluginError(f"no plugin '{distribution}' is installed: pip install -e . in its folder")
    base = base or small_recipe(registry)
    checks = [check for plugin in found for check in _checks(plugin, registry, base, parameters or {})]
    subjects = {check.subject for check in checks}
    for name in parameters or {}:
        if name not in subjects:
            raise PluginError(f"parameters are given for '{name}', which is not there; there are {_listed(subjects)}")
    names = {str(check) for check in checks}
    for name in leaving_out or {}:
        if name not in names:
            raise PluginError(f"the check '{name}', which is to be left out, is not there")
    return [check for check in checks if str(check) not in (leaving_out or {})]


def _checks(
    plugin: Plugin, registry: Registry, base: Recipe, parameters: Mapping[str, Mapping[str, Any]]
) -> Iterator[Check]:
    for of_plugin in OF_PLUGINS:
        yield Check(f"plugin {plugin.distribution}", _name(of_plugin), functools.partial(of_plugin, plugin))
    for part in plugin.parts:
        offer, label = RegisteredPart(part, plugin), f"{part.kind} {part.name}"
        if part.kind == "recipe":
            for of_recipe in OF_RECIPES:
                yield Check(label, _name(of_recipe), functools.partial(of_recipe, offer, registry))
        subject = Subject(offer, registry, base, parameters.get(label, {}))
        for check in OF_PARTS.get(part.kind, ()):
            yield Check(label, _name(check), functools.partial(check, subject))


def _same(left: str, right: str) -> bool:
    return left == right or canonicalize_name(left) == canonicalize_name(right)


def _name(check: Callable[..., None]) -> str:
    return check.__name__.replace("_", " ")


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))
