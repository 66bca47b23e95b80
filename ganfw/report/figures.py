"""Which charts a page has: of one experiment its values side by side, of several each value with all of them in it."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from ganfw.report.chart import STYLES, Bars, Chart, Line, bar_chart, line_chart
from ganfw.report.curves import Points
from ganfw.report.evaluations import Evaluation, Result
from ganfw.report.groups import Group, mean_curve, names_in
from ganfw.report.names import ARROWS, SHARES, TOGETHER, WARNINGS, metric_name
from ganfw.report.run import Run


def curve_charts(groups: Sequence[Group]) -> list[Chart]:
    """Chart the named values of `metrics.jsonl`, with flags where a run warned."""
    names = names_in(run.curves.values for group in groups for run in group.runs)
    flags = _flags(groups) if len(groups) == 1 else []
    if len(groups) > 1:
        panels = [(name, [_over_runs(group, name, group.label, group.style) for group in groups]) for name in names]
    else:
        panels = [
            (title if len(members) > 1 else members[0], _together(groups[0], members))
            for title, members in _by_prefix(names)
        ]
    charts = [
        line_chart(title, lines, x_label="step", y_label="mean of the window", flags=flags) for title, lines in panels
    ]
    return [chart for chart in charts if chart is not None]


def history_charts(groups: Sequence[Group]) -> list[Chart]:
    """Chart each metric over the steps, if any run was evaluated at several."""
    if not any(len(run.evaluations) > 1 for group in groups for run in group.runs):
        return []

    def line(group: Group, name: str, label: str, style: int) -> Line:
        points, spread = mean_curve([_history(run, name) for run in group.runs])
        results = [each.results[name] for run in group.runs for each in run.evaluations if name in each.results]
        floors = [result.floor for result in results if result.floor is not None]
        return Line(label, points, style, spread, floors[-1] if floors else None)

    tables = [each.results for group in groups for run in group.runs for each in run.evaluations]
    charts = [
        line_chart(title, lines, x_label="step", shares=shares)
        for title, lines, shares in _metric_panels(groups, tables, line)
    ]
    return [chart for chart in charts if chart is not None]


def truncation_charts(groups: Sequence[Group]) -> list[Chart]:
    """Chart each metric over the thresholds of truncation."""
    curves = [run.truncation for group in groups for run in group.runs if run.truncation is not None]
    thresholds = sorted({t for curve in curves for t, _ in curve.points if t is not None})
    places: list[float | None] = [*thresholds, *([None] if any(t is None for c in curves for t, _ in c.points) else [])]
    if len(places) < 2:
        return []

    def line(group: Group, name: str, label: str, style: int) -> Line:
        points, spread = mean_curve([_over_thresholds(run.truncation, name, places) for run in group.runs])
        return Line(label, points, style, spread)

    tables = [results for curve in curves for _, results in curve.points]
    x_names = ["none" if place is None else f"{place:g}" for place in places]
    charts = [
        line_chart(title, lines, x_label="truncation threshold, evenly spaced", x_names=x_names, shares=shares)
        for title, lines, shares in _metric_panels(groups, tables, line)
    ]
    return [chart for chart in charts if chart is not None]


def list_charts(run: Run) -> list[Bars]:
    """Chart the metrics that are lists, such as the class histogram, of a run's newest evaluation."""
    if not run.evaluations:
        return []
    newest = run.evaluations[-1]
    charts = [
        bar_chart(
            metric_name(name),
            result.values,
            result.floors,
            x_label="class" if name == "class_histogram" else "index",
            y_label="share of the samples" if name == "class_histogram" else "",
        )
        for name, result in newest.results.items()
    ]
    return [chart for chart in charts if chart is not None]


def legend(groups: Sequence[Group]) -> list[tuple[str, int]]:
    """Return the labels and styles of lines that stand for groups; nothing if there is one group alone."""
    return [(group.label, group.style % STYLES) for group in groups] if len(groups) > 1 else []


def _flags(groups: Sequence[Group]) -> list[tuple[float, str]]:
    return [
        (float(step), f"step {step:,}: {WARNINGS.get(name, name)}")
        for group in groups
        for run in group.runs
        for name, steps in run.curves.warnings.items()
        for step in steps[:: max(1, len(steps) // 100)]
    ]


def _over_runs(group: Group, name: str, label: str, style: int) -> Line:
    points, spread = mean_curve([run.curves.values.get(name, ()) for run in group.runs])
    return Line(label, points, style, spread)


def _together(group: Group, names: Sequence[str]) -> list[Line]:
    return [_over_runs(group, name, name.partition("/")[2] or name, style) for style, name in enumerate(names)]


def _by_prefix(names: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Put `loss/generator` and `loss/discriminator` together under `loss`, at most as many as there are styles."""
    panels: dict[str, list[str]] = {}
    for name in names:
        panels.setdefault(name.partition("/")[0], []).append(name)
    return [
        (title, members[start : start + STYLES])
        for title, members in panels.items()
        for start in range(0, len(members), STYLES)
    ]


def _history(run: Run, name: str) -> Points:
    return tuple((float(each.step), each.results[name].value) for each in run.evaluations if name in each.results)


def _over_thresholds(curve: Evaluation | None, name: str, places: Sequence[float | None]) -> Points:
    if curve is None:
        return ()
    values = {threshold: results[name].value for threshold, results in curve.points if name in results}
    return tuple((float(index), values[place]) for index, place in enumerate(places) if place in values)


MakeLine = Callable[[Group, str, str, int], Line]


def _metric_panels(
    groups: Sequence[Group], tables: Iterable[Mapping[str, Result]], make: MakeLine
) -> list[tuple[str, list[Line], bool]]:
    """Return the title and the lines of each chart of metrics, and whether they are shares.

    Of one group, pairs that belong together are in one chart; of several, each chart is of one metric.
    """
    tables = list(tables)
    betters = {name: result.better for table in tables for name, result in table.items()}
    names = [name for name in names_in(tables) if any(t[name].value is not None for t in tables if name in t)]
    panels: list[tuple[str, list[Line], bool]] = []
    done: set[str] = set()
    for name in names:
        pair = next((pair for pair in TOGETHER if name in pair and len(groups) == 1 and set(pair) <= set(names)), None)
        if name in done:
            continue
        members = pair or (name,)
        done.update(members)
        lines = [
            make(group, member, group.label if len(groups) > 1 else metric_name(member), style)
            for place, member in enumerate(members)
            for group, style in ((group, group.style if len(groups) > 1 else place) for group in groups)
        ]
        title = " and ".join([metric_name(members[0]), *(metric_name(member).lower() for member in members[1:])])
        arrow = ARROWS[betters[name]]
        panels.append((f"{title} {arrow}".rstrip(), lines, set(members) <= SHARES))
    return panels
