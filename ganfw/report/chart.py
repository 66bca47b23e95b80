"""Charts as plain geometry, which a template draws as SVG: curves over steps."""

from collections.abc import Sequence
from statistics import fmean

from attrs import evolve, frozen

from ganfw.report.axis import Axis, round_axis, shown, with_deviation

STYLES = 8
"""How many colours, markers and dashes there are; each line has one of each, so no two differ only by colour."""

MOST_POINTS = 300
"""A curve of more points is drawn by the means of as many stretches of equal length."""

MOST_HINTS = 60
"""A curve of more points shows its values at the markers only."""

MARKERS = 8
"""About how many markers there are along a curve of many points."""

WIDTH, HEIGHT = 480, 290
LEFT, RIGHT, TOP, BOTTOM = 64, 14, 14, 46
BASE = HEIGHT - BOTTOM

Point = tuple[int, float | None, float | None]
"""A step, the value there, None where there is a gap, and one standard deviation; None of a single run."""

Tick = tuple[float, str]
"""A place along an axis, in the drawing's own units, and what is written there."""


@frozen
class Line:
    """A curve: its points in rising order of their steps, its colour, marker and dash, and the score of real data."""

    label: str
    points: Sequence[Point]
    style: int = 0
    real_data: float | None = None


@frozen
class DrawnLine:
    """A line in the drawing's own units: paths as SVG writes them, and places with a text and perhaps a marker."""

    label: str
    style: int
    path: str
    band: str
    hints: tuple[tuple[float, float, str, bool], ...]
    real_data: float | None


@frozen
class Chart:
    """A chart in the drawing's own units.

    Attributes:
        title: what is drawn.
        y_label: what lies along the vertical axis.
        summary: the same in words, for those who do not see it.
        x_ticks: marks from left to right.
        y_ticks: marks from bottom to top.
        lines: the curves.
        flags: marks above the horizontal axis, with what they say.
    """

    title: str
    y_label: str
    summary: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[DrawnLine, ...]
    flags: tuple[Tick, ...]


def line_chart(
    title: str,
    lines: Sequence[Line],
    *,
    y_label: str = "",
    shares: bool = False,
    flags: Sequence[tuple[float, str]] = (),
) -> Chart | None:
    """Lay out curves over steps; None if there is nothing to draw.

    Args:
        title: what is drawn.
        lines: the curves.
        y_label: what lies along the vertical axis.
        shares: the values are shares, from 0 to 1.
        flags: steps to be marked, and why.
    """
    lines = [evolve(line, points=_thinned(line.points)) for line in lines]
    points = [
        (step, value, spread or 0.0) for line in lines for step, value, spread in line.points if value is not None
    ]
    if not points:
        return None
    x = round_axis([step for step, _, _ in points], ends_at_data=True)
    extent = [0.0, 1.0] if shares else [line.real_data for line in lines if line.real_data is not None]
    for _, value, spread in points:
        extent += [value] if shares else [value - spread, value + spread]
    y = round_axis(extent)
    return Chart(
        title=title,
        y_label=y_label,
        summary="; ".join(map(_summary, lines)),
        x_ticks=tuple((_across(x, tick), name) for tick, name in zip(x.ticks, x.labels(), strict=True)),
        y_ticks=tuple((_up(y, tick), name) for tick, name in zip(y.ticks, y.labels(), strict=True)),
        lines=tuple(_draw(line, x, y) for line in lines),
        flags=tuple((_across(x, place), text) for place, text in flags if x.low <= place <= x.high),
    )


def _thinned(points: Sequence[Point]) -> Sequence[Point]:
    """Replace a long curve by the means of at most `MOST_POINTS` stretches of it."""
    size = -(-len(points) // MOST_POINTS)
    if size <= 1:
        return points
    thinned = []
    for start in range(0, len(points), size):
        steps, values, spreads = zip(*points[start : start + size], strict=True)
        thinned.append((steps[-1], _mean(values), _mean(spreads)))
    return thinned


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _draw(line: Line, x: Axis, y: Axis) -> DrawnLine:
    path, upper, lower, hints = [], [], [], []
    known = [step for step, value, _ in line.points if value is not None]
    every = max(1, len(known) // MARKERS)
    marked = set(known[line.style % every :: every])
    pen = "M"
    for step, value, deviation in line.points:
        if value is None:
            pen = "M"
            continue
        across, up = _across(x, step), _up(y, value)
        path.append(f"{pen}{across:g} {up:g}")
        pen = "L"
        if deviation is not None:
            upper.append(f"{across:g} {_up(y, min(value + deviation, y.high)):g}")
            lower.append(f"{across:g} {_up(y, max(value - deviation, y.low)):g}")
        if step in marked or len(known) <= MOST_HINTS:
            text = f"{line.label}, step {step:,}: {with_deviation(value, deviation)}"
            hints.append((across, up, text, step in marked))
    band = f"M{'L'.join(upper)}L{'L'.join(reversed(lower))}Z" if upper else ""
    level = None if line.real_data is None else _up(y, line.real_data)
    return DrawnLine(line.label, line.style, "".join(path), band, tuple(hints), level)


def _summary(line: Line) -> str:
    known = [(value, step) for step, value, _ in line.points if value is not None]
    if not known:
        return f"{line.label}: no values"
    (begins, first), (ends, last) = known[0], known[-1]
    text = f"{line.label}: {shown(begins)} at step {first:,}"
    if len(known) > 1:
        text += f", {shown(ends)} at step {last:,}, between {shown(min(known)[0])} and {shown(max(known)[0])}"
    return text if line.real_data is None else f"{text}; of real data {shown(line.real_data)}"


def _across(axis: Axis, value: float) -> float:
    return round(LEFT + axis.share(value) * (WIDTH - LEFT - RIGHT), 1)


def _up(axis: Axis, value: float) -> float:
    return round(BASE - axis.share(value) * (BASE - TOP), 1)
