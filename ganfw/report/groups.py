"""Runs that differ in nothing but the seed are one experiment: their mean and spread."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, stdev

from attrs import frozen

from ganfw.report.axis import DASH
from ganfw.report.curves import Points
from ganfw.report.evaluations import Evaluation, Result
from ganfw.report.run import Run


@frozen
class Group:
    """Runs of one recipe that differ in the seed alone; often there is only one.

    Attributes:
        label: what the page calls it.
        runs: its runs.
        style: its colour, marker and dash.
    """

    label: str
    runs: tuple[Run, ...]
    style: int


@frozen
class Spread:
    """A metric over the runs of a group.

    Attributes:
        mean: over the seeds; None if a run has no value.
        deviation: the sample standard deviation (n - 1); None of a single run.
        count: how many runs.
        result: the result of the first run: which way is better, the floor, the reason for no value.
    """

    mean: float | None
    deviation: float | None
    count: int
    result: Result


def group_runs(runs: Sequence[Run]) -> list[Group]:
    """Put runs together whose settings are the same but for `run.seed`; a run without a recipe stays alone."""
    found: dict[object, list[Run]] = {}
    for number, run in enumerate(runs):
        settings = frozenset((each.key, each.value) for each in run.settings if each.key != "run.seed")
        found.setdefault(settings or number, []).append(run)
    groups = []
    for style, members in enumerate(found.values()):
        first = members[0].label
        label = first if len(members) == 1 else f"{first} and {len(members) - 1} more seeds"
        if len(found) == 1 and len(members) > 1:
            label = f"{members[0].name}, {len(members)} seeds"
        groups.append(Group(label, tuple(members), style))
    return groups


def differing_settings(groups: Sequence[Group]) -> list[tuple[str, list[str]]]:
    """Return the keys that are not the same in all groups, with the value in each; a dash where there is none."""
    tables = [{each.key: each.value for run in group.runs[:1] for each in run.settings} for group in groups]
    rows = []
    for key in dict.fromkeys(key for table in tables for key in table):
        values = [table.get(key, DASH) for table in tables]
        if key == "run.seed":
            values = [", ".join(dict.fromkeys(run.seed for run in group.runs)) for group in groups]
        if len(set(values)) > 1:
            rows.append((key, values))
    return rows


def mean_curve(curves: Sequence[Points]) -> tuple[Points, tuple[float, ...]]:
    """Return the mean at each step where all curves have a value, and the sample standard deviation there.

    A single curve is returned as it is, without a spread.
    """
    if len(curves) == 1:
        return curves[0], ()
    tables = [{place: value for place, value in curve if value is not None} for curve in curves]
    shared = sorted(set.intersection(*map(set, tables))) if tables else []
    columns = [[table[place] for table in tables] for place in shared]
    points = tuple((place, fmean(column)) for place, column in zip(shared, columns, strict=True))
    return points, tuple(stdev(column) for column in columns)


def newest_shared(group: Group) -> list[Evaluation]:
    """Return the plain evaluation of each run at the newest step that all runs of the group were evaluated at."""
    tables = [{each.step: each for each in run.evaluations} for run in group.runs]
    shared = set.intersection(*map(set, tables))
    return [table[max(shared)] for table in tables] if shared else []


def spread_of(name: str, evaluations: Sequence[Evaluation]) -> Spread | None:
    """Return a metric's mean and deviation over runs; None if it was not measured."""
    return spread_of_results(name, [each.results for each in evaluations])


def spread_of_results(name: str, tables: Sequence[Mapping[str, Result]]) -> Spread | None:
    """Return the mean and deviation of one metric of several tables; None if it is in none."""
    results = [table[name] for table in tables if name in table]
    if not results:
        return None
    values = [result.value for result in results if result.value is not None]
    if len(values) < len(tables):
        lacking = next((result for result in results if result.value is None), results[0])
        return Spread(None, None, len(tables), lacking)
    return Spread(fmean(values), stdev(values) if len(values) > 1 else None, len(values), results[0])


def names_in(tables: Iterable[Mapping[str, object]]) -> list[str]:
    """Return all keys of several tables, in the order in which they are first met."""
    return list(dict.fromkeys(name for table in tables for name in table))
