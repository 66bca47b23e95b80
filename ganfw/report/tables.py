"""The tables of a page, as rows of words."""

from collections.abc import Sequence

from attrs import frozen

from ganfw.report.axis import DASH, duration, shown, with_deviation
from ganfw.report.evaluations import Evaluation
from ganfw.report.groups import Group, Spread, names_in, newest_shared, spread_of
from ganfw.report.names import ARROWS, metric_help, metric_name
from ganfw.report.run import Run
from ganfw.report.settings import Setting


@frozen
class MetricRow:
    """A metric of one experiment."""

    name: str
    help: str
    value: str
    arrow: str
    better: str
    floor: str
    note: str


@frozen
class Cell:
    """A cell of a table that can be sorted: what it shows, and the number it is sorted by."""

    text: str
    key: float | None = None
    note: str = ""


@frozen
class ComparedRow:
    """A row of the table that compares metrics."""

    label: str
    style: int
    step: int
    runs: int
    cells: tuple[Cell, ...]


def metric_rows(evaluations: Sequence[Evaluation]) -> list[MetricRow]:
    """Return a row for each metric that is one number; of several runs, its mean and deviation."""
    rows = []
    for name in names_in(each.results for each in evaluations):
        spread = spread_of(name, evaluations)
        if spread is None or any(each.results[name].values for each in evaluations if name in each.results):
            continue
        result = spread.result
        better = {"lower": "lower is better", "higher": "higher is better", "": "neither way is better"}
        note = result.reason if spread.mean is None else result.floor_reason if result.floor is None else ""
        rows.append(
            MetricRow(
                metric_name(name),
                metric_help(name),
                with_deviation(spread.mean, spread.deviation),
                ARROWS[result.better],
                better[result.better],
                shown(result.floor),
                note,
            )
        )
    return rows


def compared_metrics(groups: Sequence[Group]) -> tuple[list[tuple[str, str]], list[ComparedRow]]:
    """Return the columns (a metric's name, and its arrow) and a row for each group that was evaluated."""
    newest = [(group, newest_shared(group)) for group in groups]
    tables = [each.results for _, evaluations in newest for each in evaluations]
    names = [name for name in names_in(tables) if not any(t[name].values for t in tables if name in t)]
    betters = {name: result.better for table in tables for name, result in table.items()}
    rows = [
        ComparedRow(
            group.label,
            group.style,
            evaluations[0].step,
            len(group.runs),
            tuple(_cell(spread_of(name, evaluations)) for name in names),
        )
        for group, evaluations in newest
        if evaluations
    ]
    return [(metric_name(name), ARROWS[betters[name]]) for name in names], rows


def _cell(spread: Spread | None) -> Cell:
    if spread is None:
        return Cell(DASH, note="not measured")
    note = spread.result.reason if spread.mean is None else ""
    return Cell(with_deviation(spread.mean, spread.deviation), spread.mean, note)


def truncation_rows(curve: Evaluation) -> tuple[list[str], list[list[str]]]:
    """Return the columns of a truncation curve's table, and a row of each threshold's values."""
    names = [
        name
        for name in names_in(results for _, results in curve.points)
        if any(results[name].value is not None for _, results in curve.points if name in results)
    ]
    rows = [
        [
            "none" if t is None else f"{t:g}",
            *(shown(results[name].value) if name in results else DASH for name in names),
        ]
        for t, results in curve.points
    ]
    return ["threshold", *map(metric_name, names)], rows


def facts(run: Run) -> list[tuple[str, str]]:
    """Return the headline of a run: how far it came, for how long, on what."""
    curves = run.curves
    length = next((each.value for each in run.settings if each.key == "run.max_steps"), "")
    rate = f"{curves.step / curves.seconds:,.0f} a second" if curves.seconds > 0 and curves.step else ""
    of = f" of {int(length):,}" if length.isdecimal() and len(length) < 16 else ""
    found = {
        "step": f"{run.step:,}{of}",
        "epoch": f"{curves.epoch:,}" if curves.epoch else "",
        "images seen": f"{curves.images:,}" if curves.images else "",
        "seed": run.seed,
        "training took": duration(curves.seconds) if curves.seconds else "",
        "steps": rate,
        "device": run.environment.device,
    }
    return [(name, value) for name, value in found.items() if value]


def sourced_settings(settings: Sequence[Setting]) -> list[tuple[str, list[Setting]]]:
    """Put settings together by who chose them: by hand first, then each recipe, defaults last."""
    found: dict[str, list[Setting]] = {"hand": []}
    for setting in settings:
        found.setdefault(setting.source, []).append(setting)
    defaults = found.pop("default", [])
    return [(source, members) for source, members in [*found.items(), ("default", defaults)] if members]


def by_table(settings: Sequence[Setting]) -> list[tuple[str, list[Setting]]]:
    """Put settings of one table of the recipe together."""
    found: dict[str, list[Setting]] = {}
    for setting in settings:
        found.setdefault(setting.table, []).append(setting)
    return list(found.items())


def warning_ranges(steps: Sequence[int], limit: int = 6) -> str:
    """Say at which steps something was warned of, in few words."""
    if len(steps) <= limit:
        return ("step " if len(steps) == 1 else "steps ") + ", ".join(f"{step:,}" for step in steps)
    return f"{len(steps):,} times, from step {steps[0]:,} to step {steps[-1]:,}"
