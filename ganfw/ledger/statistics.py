"""Means over seeds, and whether two settings differ by more than their seeds do."""

import math
from collections.abc import Iterable, Sequence
from statistics import fmean, stdev
from typing import Any

from attrs import frozen

from ganfw.ledger.records import SEED, RunRecord, Runs
from ganfw.ledger.values import plain
from ganfw.report.axis import DASH
from ganfw.report.groups import telling_settings


@frozen
class Summary:
    """A value over runs.

    Attributes:
        mean: None if no run has a value.
        deviation: the sample standard deviation (n - 1); None of fewer than two values.
        n: how many runs have a value.
    """

    mean: float | None
    deviation: float | None
    n: int


@frozen
class SettingGroup:
    """Runs that differ in nothing but the seed, or in nothing that was asked for.

    Attributes:
        values: of the keys in which the groups differ.
        runs: the runs.
    """

    values: tuple[Any, ...]
    runs: tuple[RunRecord, ...]

    def summary(self, key: str) -> Summary:
        """Return a metric or loss over the runs."""
        values = [value for run in self.runs if (value := run.value(key)) is not None]
        mean = fmean(values) if values else None
        return Summary(mean, stdev(values) if len(values) > 1 else None, len(values))


def group_runs(runs: Runs, by: Sequence[str] = ()) -> tuple[list[str], list[SettingGroup]]:
    """Put runs together whose settings are the same but for the seed.

    Args:
        runs: the runs.
        by: keys to group runs by; other settings may differ.

    Returns:
        The keys in which the groups differ, and the groups in the order of the runs.
    """
    keys = list(by) or [key for key in runs.telling() if key != SEED]
    groups: dict[tuple[Any, ...], list[RunRecord]] = {}
    for run in runs:
        groups.setdefault(tuple(run.settings.get(key) for key in keys), []).append(run)
    rows = [(key, [_text(values[place]) for values in groups]) for place, key in enumerate(keys)]
    shown = keys if by else [key for key, _ in telling_settings(rows)]
    places = [keys.index(key) for key in shown]
    members = groups.items()
    return shown, [SettingGroup(tuple(values[place] for place in places), tuple(each)) for values, each in members]


def _text(value: Any) -> str:
    return DASH if value is None else str(plain(value))


@frozen
class Comparison:
    """A paired t-test of a metric between two settings, over the seeds that both have.

    Attributes:
        group: the setting that is compared.
        key: the metric.
        pairs: how many seeds both have.
        difference: the mean of value minus the other's value; None without pairs.
        t: Student's t; None without a test: fewer than two pairs, or all differences are the same.
        p: two-sided.
        p_holm: p corrected for all comparisons made together (Holm, "A Simple Sequentially Rejective Multiple Test
            Procedure", 1979).
    """

    group: SettingGroup
    key: str
    pairs: int
    difference: float | None
    t: float | None = None
    p: float | None = None
    p_holm: float | None = None


def compare(base: SettingGroup, others: Iterable[SettingGroup], keys: Sequence[str]) -> list[Comparison]:
    """Compare settings with one of them, pair by pair of runs of the same seed; all p are corrected together."""
    found = [_compare(base, other, key) for other in others for key in keys]
    tested = sorted((each.p, place) for place, each in enumerate(found) if each.p is not None)
    largest = 0.0
    corrected = {}
    for rank, (p, place) in enumerate(tested):
        largest = max(largest, min(1.0, p * (len(tested) - rank)))
        corrected[place] = largest
    return [
        Comparison(each.group, each.key, each.pairs, each.difference, each.t, each.p, corrected.get(place))
        for place, each in enumerate(found)
    ]


def _compare(base: SettingGroup, other: SettingGroup, key: str) -> Comparison:
    left, right = ({run.settings.get(SEED): run.value(key) for run in group.runs} for group in (other, base))
    differences = [
        value - right[seed] for seed, value in left.items() if value is not None and right.get(seed) is not None
    ]
    n = len(differences)
    mean = fmean(differences) if n else None
    spread = stdev(differences) if n > 1 else 0.0
    if mean is None or not spread:
        return Comparison(other, key, n, mean)
    t = mean / (spread / math.sqrt(n))
    return Comparison(other, key, n, mean, t, student_p(t, n - 1))


def student_p(t: float, degrees: int) -> float:
    """Return the two-sided p of Student's t: the incomplete beta function of degrees / (degrees + t²)."""
    square = t * t
    return _incomplete_beta(degrees / (degrees + square), square / (degrees + square), degrees / 2, 0.5)


def _incomplete_beta(x: float, rest: float, a: float, b: float) -> float:
    """Return the regularized I_x(a, b), `rest` being 1 - x, by its continued fraction where that converges fast.

    Source: Abramowitz and Stegun, "Handbook of Mathematical Functions", 1964.
    """
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(rest, x, b, a)
    if x == 0:
        return 0.0
    scale = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(rest)) / a
    fraction = 1.0
    for m in range(200, 0, -1):  # from the inside out
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m - 1) * (a + b + m - 1) * x / ((a + 2 * m - 2) * (a + 2 * m - 1))
        fraction = 1 + odd / (1 + even / fraction)
    return scale / fraction
