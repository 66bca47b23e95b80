"""Charts as plain geometry, which a template draws as SVG: curves over steps or thresholds, and bars."""

from collections.abc import Sequence

from attrs import frozen

from ganfw.report.axis import Axis, round_axis, shown, with_deviation
from ganfw.report.curves import Points

STYLES = 8
"""How many colours, markers and dashes there are; each line has one of each, so no two differ by colour alone."""

MOST_POINTS = 300
"""A curve of more points is drawn by the means of as many stretches of equal length."""

MOST_HINTS = 60
"""A curve of more points says its values at the markers alone."""

MARKERS = 8
"""Markers along a curve of many points."""

WIDTH, HEIGHT = 480, 290
LEFT, RIGHT, TOP, BOTTOM = 64, 14, 14, 46
BASE = HEIGHT - BOTTOM


@frozen
class Line:
    """A curve.

    Attributes:
        label: what it is of.
        points: places in rising order, and the value at each; None leaves a gap.
        style: which colour, marker and dash, a number from 0.
        spread: one standard deviation at each point; drawn as a band.
        rule: a value that a level line marks, such as a metric's floor.
    """

    label: str
    points: Points
    style: int = 0
    spread: tuple[float, ...] = ()
    rule: float | None = None


@frozen
class Hint:
    """A place in the drawing where the value is told."""

    x: float
    y: float
    text: str
    marked: bool


@frozen
class Drawn:
    """A line in the drawing's own units."""

    label: str
    style: int
    path: str
    band: str
    hints: tuple[Hint, ...]
    rule: float | None


@frozen
class Tick:
    """A mark on an axis."""

    place: float
    text: str


@frozen
class Chart:
    """A chart in the drawing's own units.

    Attributes:
        title: what is drawn.
        x_label: what lies along the horizontal axis.
        y_label: what lies along the vertical axis.
        summary: the same in words, for those who do not see it.
        lines: the curves.
        x_ticks: marks from left to right.
        y_ticks: marks from bottom to top.
        flags: marks above the horizontal axis, with what they say.
    """

    title: str
    x_label: str
    y_label: str
    summary: str
    lines: tuple[Drawn, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    flags: tuple[Tick, ...] = ()


@frozen
class Bar:
    """A bar from the base line up."""

    x: float
    y: float
    width: float
    height: float
    floor: float | None
    text: str
    label: str


@frozen
class Bars:
    """A bar chart in the drawing's own units; the fields are those of `Chart`."""

    title: str
    x_label: str
    y_label: str
    summary: str
    bars: tuple[Bar, ...]
    y_ticks: tuple[Tick, ...]
    step: float


def line_chart(
    title: str,
    lines: Sequence[Line],
    *,
    x_label: str,
    y_label: str = "",
    x_names: Sequence[str] = (),
    shares: bool = False,
    flags: Sequence[tuple[float, str]] = (),
) -> Chart | None:
    """Lay a chart out; None if there is nothing to draw.

    Args:
        title: what is drawn.
        lines: the curves.
        x_label: what lies along the horizontal axis.
        y_label: what lies along the vertical axis.
        x_names: names for the places 0, 1, 2, …, where the horizontal axis counts things.
        shares: the values are shares, from 0 to 1.
        flags: places along the horizontal axis to be marked, and why.
    """
    lines = [_thinned(line) for line in lines]
    places = [place for line in lines for place, value in line.points if value is not None]
    if not places:
        return None
    x = Axis(-0.3, len(x_names) - 0.7, tuple(range(len(x_names)))) if x_names else round_axis(places, ends_at_data=True)
    y = round_axis(
        [0.0, 1.0, *(value for line in lines for _, value in line.points if value is not None)]
        if shares
        else _extent(lines)
    )
    names = x_names or x.labels()
    return Chart(
        title=title,
        x_label=x_label,
        y_label=y_label,
        summary="; ".join(_summary(line, x_names) for line in lines),
        lines=tuple(_draw(line, x, y, x_names) for line in lines),
        x_ticks=tuple(Tick(_across(x, tick), name) for tick, name in zip(x.ticks, names, strict=True)),
        y_ticks=tuple(Tick(_up(y, tick), name) for tick, name in zip(y.ticks, y.labels(), strict=True)),
        flags=tuple(Tick(_across(x, place), text) for place, text in flags if x.low <= place <= x.high),
    )


def bar_chart(
    title: str, values: Sequence[float], floors: Sequence[float], *, x_label: str, y_label: str
) -> Bars | None:
    """Lay out one bar for each value, with a line where its floor is; None if there is nothing to draw."""
    if not values:
        return None
    y = round_axis([0.0, *values, *floors])
    room = (WIDTH - LEFT - RIGHT) / len(values)
    bars = []
    for index, value in enumerate(values):
        floor = floors[index] if len(floors) == len(values) else None
        top, zero = _up(y, max(value, 0.0)), _up(y, min(value, 0.0))
        text = f"{index}: {shown(value)}" + (f", of real images {shown(floor)}" if floor is not None else "")
        left = round(LEFT + room * (index + 0.14), 1)
        level = None if floor is None else _up(y, floor)
        label = str(index) if len(values) <= 20 or index % 10 == 0 else ""
        bars.append(Bar(left, top, round(room * 0.72, 1), round(zero - top, 1), level, text, label))
    ticks = tuple(Tick(_up(y, tick), name) for tick, name in zip(y.ticks, y.labels(), strict=True))
    return Bars(title, x_label, y_label, "; ".join(bar.text for bar in bars), tuple(bars), ticks, room)


def _thinned(line: Line) -> Line:
    """Replace a long curve by the means of at most `MOST_POINTS` stretches of it."""
    count = len(line.points)
    if count <= MOST_POINTS:
        return line
    size = -(-count // MOST_POINTS)
    points: list[tuple[float, float | None]] = []
    for start in range(0, count, size):
        stretch = line.points[start : start + size]
        values = [value for _, value in stretch if value is not None]
        points.append((stretch[-1][0], sum(values) / len(values) if values else None))
    spread = [sum(part) / len(part) for i in range(0, count, size) if (part := line.spread[i : i + size])]
    return Line(line.label, tuple(points), line.style, tuple(spread), line.rule)


def _extent(lines: Sequence[Line]) -> list[float]:
    extent = [line.rule for line in lines if line.rule is not None]
    for line in lines:
        for index, (_, value) in enumerate(line.points):
            if value is not None:
                spread = line.spread[index] if line.spread else 0.0
                extent += [value - spread, value + spread]
    return extent


def _draw(line: Line, x: Axis, y: Axis, x_names: Sequence[str]) -> Drawn:
    path, upper, lower = [], [], []
    pen_up = True
    known = [index for index, (_, value) in enumerate(line.points) if value is not None]
    marked = set(_marked(known, line.style))
    hints = []
    for index, (place, value) in enumerate(line.points):
        if value is None:
            pen_up = True
            continue
        across, up = _across(x, place), _up(y, value)
        path.append(f"{'M' if pen_up else 'L'}{across:g} {up:g}")
        pen_up = False
        if line.spread:
            upper.append(f"{across:g} {_up(y, min(value + line.spread[index], y.high)):g}")
            lower.append(f"{across:g} {_up(y, max(value - line.spread[index], y.low)):g}")
        if index in marked or len(known) <= MOST_HINTS:
            told = with_deviation(value, line.spread[index] if line.spread else None)
            where = x_names[int(place)] if x_names else f"step {place:,.0f}"
            hints.append(Hint(across, up, f"{line.label}, {where}: {told}", index in marked))
    band = f"M{'L'.join(upper)}L{'L'.join(reversed(lower))}Z" if upper else ""
    rule = None if line.rule is None else _up(y, line.rule)
    return Drawn(line.label, line.style % STYLES, "".join(path), band, tuple(hints), rule)


def _marked(known: Sequence[int], style: int) -> list[int]:
    """Choose the points that get a marker: all of few, every so many of many, at other places for each style."""
    if len(known) <= MARKERS + 4:
        return list(known)
    every = len(known) / MARKERS
    offset = every * (style % STYLES) / STYLES
    return [known[int(offset + every * index)] for index in range(MARKERS)]


def _summary(line: Line, x_names: Sequence[str]) -> str:
    known = [(place, value) for place, value in line.points if value is not None]
    if not known:
        return f"{line.label}: no values"

    def where(place: float) -> str:
        return x_names[int(place)] if x_names else f"step {place:,.0f}"

    (first, begins), (last, ends) = known[0], known[-1]
    lowest, highest = min(value for _, value in known), max(value for _, value in known)
    text = f"{line.label}: {shown(begins)} at {where(first)}"
    if len(known) > 1:
        text += f", {shown(ends)} at {where(last)}, between {shown(lowest)} and {shown(highest)}"
    return text if line.rule is None else f"{text}; the floor is {shown(line.rule)}"


def _across(axis: Axis, value: float) -> float:
    return round(LEFT + axis.share(value) * (WIDTH - LEFT - RIGHT), 1)


def _up(axis: Axis, value: float) -> float:
    return round(BASE - axis.share(value) * (BASE - TOP), 1)
