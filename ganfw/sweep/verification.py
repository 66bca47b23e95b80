"""Train what a recipe expects results of, and compare: the trials of `ganfw verify`."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from attrs import evolve, frozen
from packaging.utils import canonicalize_name

from ganfw.errors import GanfwError, RecipeError
from ganfw.ledger.records import RunRecord
from ganfw.plugins.registry import Registry
from ganfw.recipe.document import Recipe
from ganfw.recipe.expectations import Band, Expectation
from ganfw.recipe.resolution import resolve
from ganfw.sweep.definition import sweep_of_options
from ganfw.sweep.trials import Trial, distinct, plan_trials
from ganfw.sweep.worker import FINISHED

RUNS = 3
"""How many runs decide, where the first one is outside a band."""


@frozen
class Check:
    """One value that was expected.

    Attributes:
        key: of which metric or loss: `"frechet_distance"`.
        band: the lowest and the highest expected value.
        values: of each run; None of a run that has none.
    """

    key: str
    band: Band
    values: tuple[float | None, ...]

    @property
    def value(self) -> float | None:
        """The median over the runs that have a value."""
        found = [value for value in self.values if value is not None]
        return median(found) if found else None

    @property
    def passed(self) -> bool:
        """Whether most runs are within the band."""
        low, high = self.band
        inside = sum(value is not None and low <= value <= high for value in self.values)
        return 2 * inside > len(self.values)

    @property
    def verdict(self) -> str:
        """Say `"as expected"`, or by how much the value misses the band."""
        value, (low, high) = self.value, self.band
        if self.passed:
            return "as expected"
        if value is None or low <= value <= high:
            return "no value" if value is None else "outside in most runs"
        return f"too low by {low - value:.3g}" if value < low else f"too high by {value - high:.3g}"

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        return {"result": self.key, "values": self.values, "within": self.band, "passed": self.passed}


@frozen
class Subject:
    """A recipe whose results are compared with those that it expects.

    Attributes:
        name: of the recipe, with a number where another subject has the same.
        expectation: the expected results.
        trials: runs with seeds that the bands were not made from; the first one is trained, and if one of its results
            is outside a band, the others too.
    """

    name: str
    expectation: Expectation
    trials: tuple[Trial, ...]

    def compare(self, runs: Mapping[str, RunRecord]) -> list[Check]:
        """Compare those of its runs that are there, by name, with what is expected; a failed one has no value."""
        own = [runs[each.name] for each in self.trials if each.name in runs]
        within = self.expectation.within
        return [Check(key, band, tuple(_value(run, key) for run in own)) for key, band in within.items()]


def _value(run: RunRecord, key: str) -> float | None:
    return {**run.losses, **run.metrics}.get(key) if run.state == FINISHED else None


@frozen
class RegisteredRecipes:
    """The registered recipes, by whether they can be verified; their names, with the distribution's.

    Attributes:
        expecting: those that expect results of the form.
        lacking: those that do not.
        incomplete: those that name parts of packages that are not there, and these packages.
        broken: those that are wrong, and what is wrong with each.
    """

    expecting: tuple[str, ...]
    lacking: tuple[str, ...]
    incomplete: Mapping[str, Sequence[str]]
    broken: Mapping[str, str]


def registered_recipes(form: str, registry: Registry) -> RegisteredRecipes:
    """Sort all registered recipes by whether they expect results of a form, `"full"` or `"quick"`."""
    having: dict[bool, list[str]] = {True: [], False: []}
    incomplete, broken = {}, {}
    for part in registry.parts("recipe"):
        name = part.qualified_name
        try:
            recipe = Recipe.load(name, registry)
            if absent := _absent_packages(recipe.tables, registry):
                incomplete[name] = absent
                continue
            resolved = resolve(recipe, registry)
        except GanfwError as error:
            broken[name] = str(error)
        else:
            having[form in resolved.expectations].append(name)
    return RegisteredRecipes(tuple(having[True]), tuple(having[False]), incomplete, broken)


def _absent_packages(tables: Mapping[str, Any], registry: Registry) -> list[str]:
    """Return the packages whose parts are named, `use = "package:part"`, and that are not installed, or are blocked."""
    there = {canonicalize_name(plugin.distribution) for plugin in registry.plugins if plugin.status != "blocked"}
    named = {use.rpartition(":")[0] for use in _uses(tables)}
    return sorted(name for name in named if name and canonicalize_name(name) not in there)


def _uses(table: Mapping[str, Any]) -> Iterator[str]:
    """Yield every `use` in a table and in those inside it."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _uses(value)
        elif key == "use" and isinstance(value, str):
            yield value


def subjects_of(sources: Iterable[str], form: str, registry: Registry, overrides: Sequence[str] = ()) -> list[Subject]:
    """Plan the runs of recipes.

    Args:
        sources: the recipes' paths or names.
        form: `"full"` or `"quick"`.
        registry: where names are looked up.
        overrides: changes of the recipe: `"run.precision=bf16"`.

    Raises:
        RecipeError: a recipe is wrong, or expects nothing of this form.
        PartError: no recipe of that name is registered.
    """
    taken: set[str] = set()
    return [_subject_of(source, form, registry, overrides, taken) for source in sources]


def _subject_of(source: str, form: str, registry: Registry, overrides: Sequence[str], taken: set[str]) -> Subject:
    recipe = Recipe.load(source, registry)
    resolved = resolve(recipe, registry)
    expectation = resolved.expectations.get(form)
    if expectation is None:
        what = f"it has no [expect.{form}], so there is nothing to compare its results with"
        raise RecipeError(f"{source}: {what}; make one with: ganfw table SWEEP --format expect")
    runs = expectation.runs
    seeds = itertools.islice((seed for seed in itertools.count() if seed not in runs.seeds), RUNS)
    form_of_runs = [] if runs.steps is None else [f"run.max_steps={runs.steps}"]
    if runs.metrics is not None:
        others = (name for name in resolved.names_in("metrics") if name not in runs.metrics)
        form_of_runs += [f"metrics.{name}.enabled=false" for name in others]
    listed = "".join(f"{seed}," for seed in seeds)
    sweep = sweep_of_options(
        source, registry, seeds=listed, evaluate=runs.samples, overrides=[*overrides, *form_of_runs]
    )
    name = distinct(recipe.name, taken)
    trials = (evolve(each, name=f"{name},{form},{each.name}") for each in plan_trials(sweep, registry))
    return Subject(name, expectation, tuple(trials))
