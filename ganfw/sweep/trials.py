"""The trials of a sweep: every setting with every seed, each named by what differs, all checked before the first."""

import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import frozen

from ganfw.errors import GanfwError, RecipeError
from ganfw.ledger.values import short_names
from ganfw.plugins.registry import Registry
from ganfw.recipe.document import Recipe
from ganfw.recipe.layers import Layers
from ganfw.recipe.origins import KeyPath, nested, value_at
from ganfw.recipe.resolution import resolve
from ganfw.recipe.resolved import ResolvedRecipe
from ganfw.sweep.definition import Sweep, always, pattern_of

EVALUATION = "evaluate"
"""The callback that evaluates, and the name that it has in trials whose recipe has none."""
BEST = "best"
"""The word in the names of trials that train the best setting of a search again."""
MAX_NAME = 120
"""Longer names are cut, and end with a hash."""


@frozen
class Trial:
    """One run of a sweep.

    Attributes:
        name: of its run directory: `"loss=hinge,lr=0.0002,seed=1"`.
        resolved: its recipe, checked.
    """

    name: str
    resolved: ResolvedRecipe


@frozen
class Plan:
    """The description of a trial.

    Attributes:
        name: of its run directory.
        seed: of its run.
        values: of the keys that vary, each of which may have `*` for every name in a table.
        variant: its name.
        best: whether it trains the best setting of a search again.
    """

    name: str
    seed: int
    values: Mapping[KeyPath, Any]
    variant: str = ""
    best: bool = False


def plan_trials(sweep: Sweep, registry: Registry) -> list[Trial]:
    """Return the trials of a grid and variants, those of the first seed first.

    Raises:
        RecipeError: a trial cannot be run; the message lists every problem of all of them, each once.
    """
    names = short_names(map(pattern_of, sweep.grid))
    taken: set[str] = set()
    plans = []
    for seed, variant, values in itertools.product(sweep.seeds, sweep.variants, _combinations(sweep.grid)):
        words = [variant, *(f"{names[pattern_of(path)]}={word_of(value)}" for path, value in values.items())]
        name = distinct(",".join([*filter(None, words), f"seed={seed}"]), taken)
        plans.append(Plan(name, seed, values, variant))
    return check_trials(sweep, registry, plans)


def check_trials(sweep: Sweep, registry: Registry, plans: Sequence[Plan]) -> list[Trial]:
    """Return the trials of plans.

    Raises:
        RecipeError: a trial cannot be run; the message lists every problem of all of them, each once.
    """
    trials: list[Trial] = []
    problems: dict[str, list[str]] = {}
    for plan in plans:
        try:
            trials.append(Trial(plan.name, resolve_trial(sweep, registry, plan)))
        except GanfwError as error:
            text = re.sub(r"^\d+ problems in recipe [^\n]*\n\n", "", str(error))
            for problem in text.split("\n\n"):
                problems.setdefault(problem, []).append(plan.name)
    if problems:
        texts = (f"{problem}\n  {_whose(names, len(plans))}" for problem, names in problems.items())
        raise RecipeError("\n\n".join(texts))
    return trials


def variant_of(sweep: Sweep, name: str) -> Layers:
    """Return the recipe of a variant."""
    return sweep.recipe.with_layer(sweep.variants[name], lambda path: sweep.origin("variants", name, *path))


def resolve_trial(sweep: Sweep, registry: Registry, plan: Plan) -> ResolvedRecipe:
    """Check the recipe of one trial.

    Raises:
        RecipeError: anything is wrong with it.
    """
    layers = variant_of(sweep, plan.variant)
    varied, place = Layers(), ("search", "keys") if sweep.search else ("grid",)
    for pattern, value in plan.values.items():
        if not (paths := matching(pattern, layers.tables)):
            what = f"{pattern_of(pattern)} stands for no key: the recipe has no [{pattern[0]}]"
            raise RecipeError(sweep.origin(*place, *pattern).complaint(what))
        for path in paths:
            varied = varied.with_layer(nested(path, value), always(sweep.origin(*place, *pattern)))
    layers = layers.with_layer(varied.tables, varied.origins.__getitem__)
    layers = layers.with_layer({"run": {"seed": plan.seed}}, always(sweep.origin("seeds")))
    if plan.best and sweep.search and sweep.search.best:
        settings = sweep.search.best.settings
        layers = layers.with_layer(settings, lambda path: sweep.origin("search", "best", "set", *path))
    resolved = resolve(Recipe.of_layers(layers, sweep.recipe.name), registry)
    addresses = {address for address, part in resolved.parts.items() if part.part.kind == "callback"}
    names = {resolved.parts[address].part.name for address in addresses}
    if "checkpoint" not in names:
        origin = resolved.recipe.origins["callbacks", "checkpoint", "enabled"]
        raise RecipeError(origin.complaint("a trial of a sweep needs the callback 'checkpoint', to be continued"))
    if not sweep.evaluate or EVALUATION in names or "embedding" not in resolved.parts:
        return resolved
    at_the_end = {"use": EVALUATION, "every_epochs": resolved.settings.epochs, "count": sweep.evaluate, "best": ""}
    layers = layers.with_layer({"callbacks": {EVALUATION: at_the_end}}, always(sweep.origin("evaluate")))
    return resolve(Recipe.of_layers(layers, sweep.recipe.name), registry)


def matching(pattern: KeyPath, tables: Mapping[str, Any]) -> list[KeyPath]:
    """Return the keys that a key with `*` for every name in a table stands for."""
    found: list[KeyPath] = [()]
    for word in pattern:
        inner = {path: value_at(tables, path) for path in found}
        found = [
            (*path, name)
            for path, table in inner.items()
            for name in ((table if isinstance(table, Mapping) else ()) if word == "*" else (word,))
        ]
    return found


def word_of(value: Any) -> str:
    """Write a value as a part of a file's name."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "-".join(map(word_of, value))
    return re.sub(r"[^\w.+-]+", "-", str(value))


def _combinations(grid: Mapping[KeyPath, Sequence[Any]]) -> Iterator[dict[KeyPath, Any]]:
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def distinct(name: str, taken: set[str]) -> str:
    """Return a name that is not taken yet and that a file can have, and take it."""
    if len(name) > MAX_NAME:
        name = f"{name[: MAX_NAME - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    numbered = (name if number == 1 else f"{name}-{number}" for number in itertools.count(1))
    found = next(each for each in numbered if each not in taken)
    taken.add(found)
    return found


def _whose(names: Sequence[str], count: int) -> str:
    return (
        "in every trial"
        if len(names) == count
        else f"in {len(names)} of {count} trials: {names[0]}" + (", …" if len(names) > 1 else "")
    )
