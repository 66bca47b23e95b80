"""A page about a sweep: which settings matter, the best of them, their curves, and what failed."""

from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from ganfw.ledger.records import SEED, RunRecord, Runs, load_runs
from ganfw.ledger.selection import find_key
from ganfw.ledger.statistics import SettingGroup, group_runs
from ganfw.ledger.values import short_names, show_value
from ganfw.report.axis import duration, with_deviation
from ganfw.report.figures import curve_charts, history_charts
from ganfw.report.groups import group_runs as group_for_curves
from ganfw.report.names import ARROWS, metric_name
from ganfw.report.page import render
from ganfw.report.run import read_runs
from ganfw.sweep.effects import Outcome, effects, parallel
from ganfw.sweep.trials import BEST

MOST_ROWS = 10
"""How many of the best settings are listed, where all are of one search or grid."""
MOST_CURVES = 6
"""How many settings' curves are laid over each other."""
MOST_TRIALS = 1000
"""How many settings are drawn; of more, the best."""


@frozen
class Row:
    """A setting in the table of the best.

    Attributes:
        label: of the setting, by its place in the order.
        settings: its values of what varies.
        n: how many seeds.
        results: for each metric its mean and deviation, and the mean to sort by; None where there is none.
    """

    label: str
    settings: tuple[str, ...]
    n: int
    results: tuple[tuple[str, float | None], ...]


def render_sweep(folder: Path, metric: str | None = None) -> str:
    """Return the HTML of a page about the sweep in a folder; the same folder gives the same page.

    Args:
        folder: holds `sweep.toml` and the trials.
        metric: what to judge settings by; by default that of the search, or else the first that has a better.

    Raises:
        InputError: no trial has the metric.
        RunError: the folder does not exist.
    """
    runs = load_runs(folder)
    finished = Runs(run for run in runs if run.state == "finished")
    again = Runs(run for run in finished if BEST in run.name.split(","))
    tried = Runs(run for run in finished if run not in again)
    key = _metric(tried, folder, metric)
    higher = any(run.better.get(key) == "higher" for run in tried)
    keys = [each for each in tried.telling() if each != SEED]
    groups = _ranked(group_runs(tried, keys)[1] if tried else [], key, higher=higher)
    outcomes = [
        Outcome(_label(group), dict(zip(keys, group.values, strict=True)), summary.mean, summary.deviation)
        for group in groups[:MOST_TRIALS]
        if (summary := group.summary(key)).mean is not None
    ]
    best_keys, best = group_runs(again) if again else (keys, groups[:MOST_ROWS])
    best = _ranked(best, key, higher=higher)
    curves = group_for_curves(read_runs([run.directory for group in best[:MOST_CURVES] for run in group.runs]))
    names, columns = _columns(best, key)
    return render(
        "sweep.html",
        {
            "title": folder.resolve().name,
            "folder": str(folder),
            "states": _states(runs),
            "took": duration(sum(run.seconds for run in runs)),
            "metric": metric_name(key),
            "arrow": ARROWS["higher" if higher else "lower"] if key else "",
            "again": bool(again),
            "settings": list(short_names(best_keys).values()),
            "columns": [f"{metric_name(name)} {arrow}".rstrip() for name, arrow in columns.items()],
            "rows": [_row(group, names) for group in best],
            "tried": len(groups),
            "effects": effects(outcomes, keys),
            "parallel": parallel(outcomes, keys, metric_name(key), higher=higher),
            "groups": curves,
            "curves": curve_charts(curves) if curves else [],
            "history": history_charts(curves),
            "ended": [run for run in runs if run.reason],
            "problems": [(run.name, problem) for run in runs for problem in run.problems],
        },
    )


def _metric(runs: Runs, folder: Path, asked: str | None) -> str:
    """Return the metric to judge by; empty if nothing was measured."""
    if asked is not None:
        return find_key(runs, asked, only="metrics")
    known = {key: better for run in runs for key, better in run.better.items()}
    losses = [key for run in runs for key in run.losses]
    searched = _searched(folder)
    if searched in known or searched in losses:
        return searched
    return next((key for key, better in known.items() if better), "")


def _searched(folder: Path) -> str:
    """Return the metric of a sweep's search; empty if there is none."""
    import tomllib

    from ganfw.sweep.definition import FILE

    try:
        table = tomllib.loads((folder / FILE).read_text(encoding="utf-8")).get("search")
    except (OSError, ValueError):
        return ""
    metric = table.get("metric") if isinstance(table, dict) else None
    return metric if isinstance(metric, str) else ""


def _ranked(groups: Sequence[SettingGroup], key: str, *, higher: bool) -> list[SettingGroup]:
    """Return groups from the best on, those without a result last."""

    def place(group: SettingGroup) -> tuple[bool, float]:
        mean = group.summary(key).mean
        return mean is None, 0.0 if mean is None else -mean if higher else mean

    return sorted(groups, key=place)


def _label(group: SettingGroup) -> str:
    """Call a setting by the name of its trials, without the seed."""
    return group.runs[0].name.rpartition(",seed=")[0] or group.runs[0].name


def _columns(groups: Sequence[SettingGroup], key: str) -> tuple[list[str], dict[str, str]]:
    """Return the metrics of a table, the one that it is ordered by first, with their arrows."""
    better = {name: word for group in groups for run in group.runs for name, word in run.better.items()}
    names = list(dict.fromkeys([*filter(None, [key]), *better]))
    return names, {name: ARROWS.get(better.get(name, ""), "") for name in names}


def _row(group: SettingGroup, names: Sequence[str]) -> Row:
    results = [group.summary(name) for name in names]
    return Row(
        _label(group),
        tuple(map(show_value, group.values)),
        len(group.runs),
        tuple((with_deviation(each.mean, each.deviation), each.mean) for each in results),
    )


def _states(runs: Sequence[RunRecord]) -> dict[str, int]:
    """Return how many trials are in each state."""
    found: dict[str, int] = {}
    for run in runs:
        found[run.state] = found.get(run.state, 0) + 1
    return dict(sorted(found.items(), key=lambda item: -item[1]))
