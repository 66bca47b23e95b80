"""What the settings of a sweep have to do with its results: a chart of each setting, and one of all together."""

from collections.abc import Hashable, Mapping, Sequence
from statistics import fmean, median
from typing import Any

from attrs import frozen

from ganfw.ledger.values import short_names, show_value
from ganfw.report.axis import DASH, fitting_axis, shown, with_deviation
from ganfw.report.chart import BASE, LEFT, RIGHT, TOP, WIDTH, Tick

FEW = 4
"""A setting of no more numbers than this is drawn as one of categories; of more, four ranges of them are summed up."""
APART = 120
"""How far axes stand from each other in the chart of all settings, in its own units."""
SIDE = 110
"""What is left free beside its first and its last axis."""
GAP = 26
"""How far below an axis of numbers the trials lie that do not have the setting."""
LETTER = 6.6
"""About how wide a letter is."""
GOLDEN = 0.618034
"""Steps of this part of a range spread dots over it so that neighbours lie apart."""


@frozen
class Outcome:
    """A setting of a sweep: its trials of all seeds.

    Attributes:
        label: its name, different from those of the others.
        values: of the keys that vary; None where it lacks one.
        result: the mean of the metric over the seeds.
        deviation: the sample standard deviation; None of one seed.
    """

    label: str
    values: Mapping[str, Hashable]
    result: float
    deviation: float | None = None

    @property
    def hint(self) -> str:
        """What is shown of it."""
        return f"{self.label}: {with_deviation(self.result, self.deviation)}"


@frozen
class Effect:
    """One setting, and the results by it, in the units of a chart.

    Attributes:
        key: the setting.
        share: how much of the differences in rank goes with only it, from 0 to 1; None of too few trials.
        x_ticks: marks from left to right, each with how many lines below the axis its text stands.
        y_ticks: marks from bottom to top.
        dots: for each trial its place and what it says.
        levels: for each value, or range of numbers, where it begins and ends, the height of the median, and a text.
    """

    key: str
    share: float | None
    x_ticks: tuple[tuple[float, str, int], ...]
    y_ticks: tuple[Tick, ...]
    dots: tuple[tuple[float, float, str], ...]
    levels: tuple[tuple[float, float, float, str], ...]


def effects(outcomes: Sequence[Outcome], keys: Sequence[str]) -> list[Effect]:
    """Return the effect of each key that varies, that with the largest share first."""
    found = [_effect(outcomes, key) for key in _varying(outcomes, keys)]
    return sorted(found, key=lambda effect: -(effect.share or 0.0))


def _varying(outcomes: Sequence[Outcome], keys: Sequence[str]) -> list[str]:
    """Return the keys with several values, without those that only follow from the part that has them."""
    found = []
    for key in keys:
        values = {outcome.values[key] for outcome in outcomes}
        follows = f"{key.rpartition('.')[0]}.use" in keys and len(values - {None}) == 1 and not key.endswith(".use")
        if len(values) > 1 and not follows:
            found.append(key)
    return found


def _effect(outcomes: Sequence[Outcome], key: str) -> Effect:
    y = fitting_axis([outcome.result for outcome in outcomes])
    if is_number(outcomes, key):
        having = sorted(
            (each for each in outcomes if each.values[key] is not None), key=lambda each: _number(each, key)
        )
        x = fitting_axis([_number(outcome, key) for outcome in having])
        groups = _quarters(having, key)
        places = [_across(x.share(_number(outcome, key))) for outcome in having]
        x_ticks = [(_across(x.share(tick)), name) for tick, name in zip(x.ticks, x.labels(), strict=True)]
        ends = [[_across(x.share(_number(group[end], key))) for end in (0, -1)] for group in groups]
    else:
        groups = list(_by_value(outcomes, key).values())
        having = [outcome for group in groups for outcome in group]
        width = 1 / len(groups)
        places = [
            _across((column + 0.5 + 0.5 * (number * GOLDEN % 1 - 0.5)) * width)
            for column, group in enumerate(groups)
            for number in range(len(group))
        ]
        x_ticks = [
            (_across((column + 0.5) * width), show_value(group[0].values[key])) for column, group in enumerate(groups)
        ]
        ends = [[_across((column + 0.5 + side) * width) for side in (-0.32, 0.32)] for column in range(len(groups))]
    middles = [median(outcome.result for outcome in group) for group in groups]
    return Effect(
        key,
        rank_share([[outcome.result for outcome in group] for group in groups]),
        _staggered(x_ticks),
        tuple((_up(y.share(tick)), name) for tick, name in zip(y.ticks, y.labels(), strict=True)),
        tuple(
            (place, _up(y.share(outcome.result)), outcome.hint) for place, outcome in zip(places, having, strict=True)
        ),
        tuple(
            (left, right, _up(y.share(middle)), f"median {shown(middle)} of {len(group)}")
            for (left, right), middle, group in zip(ends, middles, groups, strict=True)
        ),
    )


def _staggered(ticks: Sequence[Tick]) -> tuple[tuple[float, str, int], ...]:
    """Put texts that would meet on two lines."""
    room = (WIDTH - LEFT - RIGHT) / len(ticks) if ticks else WIDTH
    crowded = any(len(text) * LETTER > room for _, text in ticks)
    return tuple((place, text, number % 2 if crowded else 0) for number, (place, text) in enumerate(ticks))


def rank_share(groups: Sequence[Sequence[float]]) -> float | None:
    """Return how much of the variance of ranks lies between groups, less what chance gives: ε², at least 0.

    None if no group has two members, because effect and chance cannot be separated then.
    """
    values = sorted(value for group in groups for value in group)
    ranks = [[(values.index(value) + len(values) - 1 - values[::-1].index(value)) / 2 for value in g] for g in groups]
    n, k = len(values), len(groups)
    mean = fmean(range(n))
    total = sum((rank - mean) ** 2 for group in ranks for rank in group)
    if n <= k or not total:
        return None
    between = sum(len(group) * (fmean(group) - mean) ** 2 for group in ranks)
    return max(0.0, (between - (k - 1) * (total - between) / (n - k)) / total)


@frozen
class Coordinate:
    """One axis of the chart of all settings: where it stands, its marks and its name."""

    name: str
    across: int
    ticks: tuple[Tick, ...]


@frozen
class Parallel:
    """All settings at once, in the chart's own units.

    Attributes:
        width: of the chart.
        axes: the settings, and last the metric, the better the higher.
        paths: for each trial its line through the axes, whether it is of the best quarter, and what it says.
    """

    width: int
    axes: tuple[Coordinate, ...]
    paths: tuple[tuple[str, bool, str], ...]


def parallel(outcomes: Sequence[Outcome], keys: Sequence[str], metric: str, *, higher: bool) -> Parallel | None:
    """Lay out trials as lines through their settings and their result; None if nothing varies."""
    keys = _varying(outcomes, keys)
    if not keys:
        return None
    names = short_names(keys)
    axes, columns = [], []
    for number, key in enumerate(keys):
        marks, heights = _heights(outcomes, key)
        axes.append(Coordinate(names[key], SIDE + number * APART, marks))
        columns.append(heights)
    y = fitting_axis([outcome.result for outcome in outcomes])
    columns.append([_up(y.share(each.result) if higher else 1 - y.share(each.result)) for each in outcomes])
    ticks = [
        (_up(y.share(tick) if higher else 1 - y.share(tick)), name)
        for tick, name in zip(y.ticks, y.labels(), strict=True)
    ]
    axes.append(Coordinate(metric, SIDE + len(keys) * APART, tuple(ticks)))
    ranked = sorted(outcomes, key=lambda each: -each.result if higher else each.result)
    best = {id(outcome) for outcome in ranked[: -(-len(ranked) // 4)]}
    paths = [
        (
            "M" + "L".join(f"{axis.across:g} {heights[row]:g}" for axis, heights in zip(axes, columns, strict=True)),
            id(outcome) in best,
            outcome.hint,
        )
        for row, outcome in enumerate(outcomes)
    ]
    return Parallel(2 * SIDE + len(keys) * APART, tuple(axes), tuple(sorted(paths, key=lambda path: path[1])))


def _heights(outcomes: Sequence[Outcome], key: str) -> tuple[tuple[Tick, ...], list[float]]:
    """Return the marks of a setting's axis, and where each trial crosses it."""
    if not is_number(outcomes, key):
        groups = list(_by_value(outcomes, key))
        height = {value: _up((place + 0.5) / len(groups)) for place, value in enumerate(groups)}
        return tuple((height[value], show_value(value)) for value in groups), [
            height[each.values[key]] for each in outcomes
        ]
    axis = fitting_axis([_number(outcome, key) for outcome in outcomes if outcome.values[key] is not None])
    ticks = [(_up(axis.share(tick)), name) for tick, name in zip(axis.ticks, axis.labels(), strict=True)]
    lacking = any(outcome.values[key] is None for outcome in outcomes)
    heights = [
        BASE + GAP if outcome.values[key] is None else _up(axis.share(_number(outcome, key))) for outcome in outcomes
    ]
    return (*ticks, *(((BASE + GAP, DASH),) if lacking else ())), heights


def is_number(outcomes: Sequence[Outcome], key: str) -> bool:
    """Whether a key has more than a few values, all of them numbers."""
    values = {value for outcome in outcomes if (value := outcome.values[key]) is not None}
    return len(values) > FEW and all(isinstance(value, int | float) and type(value) is not bool for value in values)


def _number(outcome: Outcome, key: str) -> float:
    return float(outcome.values[key])  # type: ignore[arg-type]


def _by_value(outcomes: Sequence[Outcome], key: str) -> dict[Hashable, list[Outcome]]:
    """Put outcomes together by a key: numbers in rising order, others as they come, those that lack it last."""
    groups: dict[Any, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.values[key], []).append(outcome)
    numbers = all(isinstance(value, int | float | None) for value in groups)
    return dict(
        sorted(groups.items(), key=lambda item: (item[0] is None, item[0] if numbers and item[0] is not None else 0))
    )


def _quarters(having: Sequence[Outcome], key: str) -> list[list[Outcome]]:
    """Cut outcomes in the order of a number into four ranges of about as many; equal numbers stay together."""
    groups: dict[int, list[Outcome]] = {}
    quarter = 0
    for place, outcome in enumerate(having):
        if outcome.values[key] != having[place - 1].values[key]:
            quarter = place * 4 // len(having)
        groups.setdefault(quarter, []).append(outcome)
    return list(groups.values())


def _across(share: float) -> float:
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _up(share: float) -> float:
    return round(BASE - share * (BASE - TOP), 1)
