"""Which charts a page has: of one experiment its values side by side, of several each value with all of them in it."""

from collections.abc import Sequence

from ganfw.report.chart import STYLES, Chart, Line, line_chart
from ganfw.report.groups import Group, names_in
from ganfw.report.names import ARROWS, SHARES, TOGETHER, WARNINGS, metric_name
from ganfw.report.summaries import mean_curve


def curve_charts(groups: Sequence[Group]) -> list[Chart]:
    """Chart the named values of `metrics.jsonl`, with flags where a run warned."""
    names = names_in(run.curves.values for group in groups for run in group.runs)
    if len(groups) == 1:
        panels = [
            (
                title if len(members) > 1 else members[0],
                [_curve(groups[0], name, name.partition("/")[2] or name, style) for style, name in enumerate(members)],
            )
            for title, members in _by_prefix(names)
        ]
    else:
        panels = [(name, [_curve(group, name, group.label, group.style) for group in groups]) for name in names]
    flags = _flags(groups[0]) if len(groups) == 1 else []
    charts = [line_chart(title, lines, y_label="mean of the window", flags=flags) for title, lines in panels]
    return [chart for chart in charts if chart is not None]


def history_charts(groups: Sequence[Group]) -> list[Chart]:
    """Chart each metric over the steps, if any run was evaluated at several.

    Of one group, pairs that belong together are in one chart; of several, each chart is of one metric.
    """
    runs = [run for group in groups for run in group.runs]
    if not any(len(run.evaluations) > 1 for run in runs):
        return []
    tables = [each.scores for run in runs for each in run.evaluations]
    betters = {name: score.better for table in tables for name, score in table.items()}
    names = [name for name in names_in(tables) if any(t[name].value is not None for t in tables if name in t)]
    several = len(groups) > 1
    charts = []
    for name in names:
        pair = next((p for p in TOGETHER if name in p and not several and set(p) <= set(names)), (name,))
        if name != pair[0]:
            continue
        lines = [
            _history(group, member, *((group.label, group.style) if several else (metric_name(member), place)))
            for place, member in enumerate(pair)
            for group in groups
        ]
        title = " and ".join([metric_name(name), *(metric_name(other).lower() for other in pair[1:])])
        charts.append(line_chart(f"{title} {ARROWS[betters[name]]}".rstrip(), lines, shares=set(pair) <= SHARES))
    return [chart for chart in charts if chart is not None]


def _flags(group: Group) -> list[tuple[float, str]]:
    return [
        (float(step), f"step {step:,}: {WARNINGS.get(name, name)}")
        for run in group.runs
        for name, steps in run.curves.warnings.items()
        for step in steps[:: max(1, len(steps) // 100)]
    ]


def _curve(group: Group, name: str, label: str, style: int) -> Line:
    return Line(label, mean_curve([run.curves.values.get(name, ()) for run in group.runs]), style)


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


def _history(group: Group, name: str, label: str, style: int) -> Line:
    scores = [[(each.step, each.scores[name]) for each in run.evaluations if name in each.scores] for run in group.runs]
    real_data = [score.real_data for run in scores for _, score in run if score.real_data is not None]
    points = mean_curve([tuple((step, score.value) for step, score in run) for run in scores])
    return Line(label, points, style, real_data[-1] if real_data else None)
