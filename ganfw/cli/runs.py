"""`ganfw runs` and `ganfw table`: what many runs are, how far they came, and how good they are."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganfw.cli.options import is_sweep, json_option, path_type
from ganfw.errors import InputError
from ganfw.terminal import say, say_table

if TYPE_CHECKING:
    from ganfw.ledger.records import Runs
    from ganfw.ledger.statistics import Comparison, SettingGroup

HEADLINE = ("frechet_distance", "precision", "recall")
"""The metrics that are shown where none are asked for and all of them are too many."""

EXPECTATIONS = {"expect": "full", "expect-quick": "quick"}
"""The formats of `ganfw table` that print what a recipe expects, with the form of the runs."""

BEST = 10
"""How many settings of a search are shown."""

_folders = click.argument("folders", metavar="[FOLDER]...", nargs=-1, type=path_type)
_where = click.option(
    "--where", multiple=True, metavar="CONDITION", help="Only runs like this: loss=hinge, 'step>=1000'. Repeatable."
)
_sort = click.option(
    "--sort", metavar="KEY", help="Sort by a setting, a metric, step or state; -KEY for the largest first."
)
_metrics = click.option("--metric", "metrics", multiple=True, metavar="M", help="A metric or loss to show. Repeatable.")


@click.command(short_help="List runs with their settings, steps and metrics.")
@_folders
@_where
@_sort
@_metrics
@click.option("--csv", "as_csv", is_flag=True, help="Print every value as CSV.")
@json_option
def runs(
    folders: tuple[Path, ...],
    where: tuple[str, ...],
    sort: str | None,
    metrics: tuple[str, ...],
    as_csv: bool,
    as_json: bool,
) -> None:
    """List the runs in each FOLDER with the settings that differ, the state, the step and the newest metrics.

    A FOLDER is a run directory, the folder of a sweep, or a folder that has these in it. The default is runs.
    """
    from ganfw.ledger.formats import comma_separated
    from ganfw.ledger.records import COLUMNS
    from ganfw.ledger.values import show_value

    found = _select(folders, where, sort)
    if as_json:
        say(json.dumps([run.to_json() for run in found], indent=2, default=str))
        return
    settings = found.differing()
    if as_csv:
        values = _metrics_in(found, metrics) if metrics else _all_metrics(found)
        keys = [*COLUMNS, *settings, *values]
        say(comma_separated([keys, *([_plain(run.value(key)) for key in keys] for run in found)]))
        return
    values = _metrics_in(found, metrics)
    settings = [] if is_sweep(folders) else _telling(found)  # the names of trials say what differs
    head = ["run", *_heads(settings, full=False), "state", "step", *values]
    rows = [
        [
            run.name,
            *(show_value(run.settings.get(key)) for key in settings),
            run.state,
            f"{run.step:,}" + (f"/{run.total_steps:,}" if run.total_steps and run.state != "finished" else ""),
            *(show_value(run.value(key)) for key in values),
        ]
        for run in found
    ]
    say_table([head, *rows])
    for run in found:
        if run.reason:
            say(f"{run.name}: {run.reason}", err=True)
    _say_problems(found)


@click.command(short_help="Means over seeds, for a terminal or a paper.")
@_folders
@_where
@_sort
@_metrics
@click.option("--by", multiple=True, metavar="KEY", help="Group runs only by this setting. Repeatable.")
@click.option(
    "--against",
    metavar="CONDITION",
    help="Compare every other setting with this one by a paired t-test over seeds: loss=bce.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["terminal", "markdown", "latex", "csv", "expect", "expect-quick"]),
    default="terminal",
    show_default=True,
    help="latex needs booktabs; csv has all digits; expect is the [expect] table of a recipe, from its seeds.",
)
def table(
    folders: tuple[Path, ...],
    where: tuple[str, ...],
    sort: str | None,
    metrics: tuple[str, ...],
    by: tuple[str, ...],
    against: str | None,
    form: str,
) -> None:
    """Print the mean, the sample standard deviation (n - 1) and the number of the finished runs in each FOLDER.

    Runs that differ only in the seed are one setting. With --against, p is two-sided, and corrected by Holm's
    method for all comparisons in the table.
    """
    found = _select(folders, where, None)
    finished = type(found)(run for run in found if run.state == "finished")
    left_out = len(found) - len(finished)
    if not finished:
        raise InputError(
            f"no finished runs: {left_out} are not finished; see: ganfw runs"
            if left_out
            else "no runs are there; name a folder that holds some, or change --where"
        )
    if form in EXPECTATIONS:
        _say_expectation(finished, EXPECTATIONS[form], metrics)
    else:
        say_results(finished, metrics, by=by, sort=sort, against=against, form=form)
    if left_out:
        say(f"left out, because they are not finished: {left_out}", err=True)
    _say_problems(found)


def _say_expectation(runs: "Runs", form: str, metrics: Sequence[str]) -> None:
    """Print the `[expect.FORM]` of a recipe; without metrics, of the first one that runs have and of their losses."""
    from ganfw.ledger.bands import expectation_of

    losses = list(dict.fromkeys(key for run in runs for key in run.losses))
    chosen = _metrics_in(runs, metrics) if metrics else [*_metrics_in(runs, ())[:1], *losses]
    say(expectation_of(runs, form, list(dict.fromkeys(chosen))))


def say_results(
    runs: "Runs",
    metrics: Sequence[str] = (),
    *,
    by: Sequence[str] = (),
    sort: str | None = None,
    against: str | None = None,
    form: str = "terminal",
    best_first: bool = False,
) -> None:
    """Print the table of finished runs, and how settings compare with one of them.

    With `best_first` only the settings whose first metric is best, from the best on.
    """
    from ganfw.ledger.records import Runs
    from ganfw.ledger.selection import find_key, select
    from ganfw.ledger.statistics import compare, group_runs

    keys, groups = group_runs(runs, [find_key(runs, word, only="settings") for word in by])
    values = _metrics_in(runs, metrics)
    if sort:
        key, falling = find_key(runs, sort.removeprefix("-")), sort.startswith("-")
        groups = _sorted(groups, key, falling)
    if best_first:
        falling = any(run.better.get(values[0]) == "higher" for run in runs)
        groups = _sorted(groups, values[0], falling)[:BEST]
    _print(_rows(runs, keys, groups, values, full=form == "csv"), form)
    others = [name for name in _all_metrics(runs) if name not in values]
    if others and not metrics and form == "terminal":
        say(f"also measured, for --metric: {', '.join(others)}", err=True)
    steps = {run.metrics_step for run in runs if run.metrics_step is not None}
    if len(steps) > 1 and any(name in run.metrics for run in runs for name in values):
        say(f"metrics are of different steps, from {min(steps):,} to {max(steps):,}", err=True)
    if against is not None:
        base = [group for group in groups if select(Runs(group.runs), [against])]
        if len(base) != 1:
            raise InputError(f"--against {against}: it matches {len(base)} settings; it must match exactly one")
        _require_one_a_seed(groups)
        rest = [group for group in groups if group is not base[0]]
        if not rest:
            raise InputError(f"--against {against}: the runs have no other setting to compare it with; add some")
        say()
        _print(_comparison_rows(keys, compare(base[0], rest, values), full=form == "csv"), form)


def _select(folders: Sequence[Path], where: Sequence[str], sort: str | None) -> "Runs":
    from ganfw.ledger.records import load_runs
    from ganfw.ledger.selection import select, sort_by

    found = load_runs(*folders)
    if not found:
        raise InputError(f"{', '.join(map(str, folders)) or 'runs'}: no runs in it; name a folder that holds some")
    found = select(found, where)
    return sort_by(found, sort) if sort else found


def _telling(runs: "Runs") -> list[str]:
    """Return the settings in which runs differ; if they are many, only those that are needed."""
    from ganfw.ledger.values import show_value
    from ganfw.report.groups import telling_settings

    rows = [(key, [show_value(run.settings.get(key)) for run in runs]) for key in runs.telling()]
    seed = [key for key, _ in rows if key == "run.seed"]
    return seed + [key for key, _ in telling_settings(rows)]


def _all_metrics(runs: "Runs") -> list[str]:
    return list(
        dict.fromkeys([*(key for run in runs for key in run.metrics), *(key for run in runs for key in run.losses)])
    )


def _metrics_in(runs: "Runs", words: Sequence[str]) -> list[str]:
    """Return the metrics that words mean; without words, a few, and losses where nothing was evaluated."""
    from ganfw.ledger.selection import find_key

    if words:
        return [find_key(runs, word, only="metrics") for word in words]
    measured = list(dict.fromkeys(key for run in runs for key in run.metrics))
    return [key for key in HEADLINE if key in measured] or measured[:3] or _all_metrics(runs)[:3]


def _sorted(groups: "list[SettingGroup]", key: str, falling: bool) -> "list[SettingGroup]":
    def value(group: "SettingGroup") -> Any:
        settings = group.runs[0].settings
        return settings[key] if key in settings else group.summary(key).mean

    having = [group for group in groups if isinstance(value(group), int | float)]
    having.sort(key=value, reverse=falling)
    return [*having, *(group for group in groups if group not in having)]


def _rows(
    runs: "Runs", keys: Sequence[str], groups: "Sequence[SettingGroup]", metrics: Sequence[str], *, full: bool
) -> list[list[str]]:
    """Return the table of means; in full, with every digit and a column for each number."""
    from ganfw.ledger.values import show_value
    from ganfw.report.axis import with_deviation
    from ganfw.report.names import ARROWS

    better = {key: word for run in runs for key, word in run.better.items()}
    arrows = {key: f" {ARROWS.get(better.get(key, ''), '')}".rstrip() for key in metrics}
    heads = [[f"{key} mean", f"{key} sd", f"{key} n"] if full else [f"{key}{arrows[key]}"] for key in metrics]
    rows = [
        [*(_heads(keys, full=full) or ["recipe"]), *([] if full else ["n"]), *(cell for each in heads for cell in each)]
    ]
    for group in groups:
        cells = [show_value(value) for value in group.values] if keys else [group.runs[0].recipe]
        if not full:
            cells.append(str(len(group.runs)))
        for key in metrics:
            found = group.summary(key)
            if full:
                cells += [_plain(found.mean), _plain(found.deviation), str(found.n)]
            else:
                lacking = f" (n = {found.n})" if 0 < found.n < len(group.runs) else ""
                cells.append(with_deviation(found.mean, found.deviation) + lacking)
        rows.append(cells)
    return rows


def _heads(keys: Sequence[str], *, full: bool) -> list[str]:
    """Return what the columns of settings are called: in short, or with the whole key."""
    from ganfw.ledger.values import short_names

    return list(keys) if full else list(short_names(keys).values())


def _comparison_rows(keys: Sequence[str], comparisons: "Sequence[Comparison]", *, full: bool) -> list[list[str]]:
    from ganfw.ledger.values import show_value

    write = _plain if full else show_value
    count = sum(each.p is not None for each in comparisons)
    rows = [[*_heads(keys, full=full), "metric", "pairs", "difference", "t", "p", f"p, Holm over {count}"]]
    for each in comparisons:
        numbers = (each.difference, each.t, each.p, each.p_holm)
        rows.append([*map(show_value, each.group.values), each.key, str(each.pairs), *map(write, numbers)])
    return rows


def _require_one_a_seed(groups: "Sequence[SettingGroup]") -> None:
    from ganfw.ledger.records import SEED

    for group in groups:
        seeds = [run.settings.get(SEED) for run in group.runs]
        for seed in seeds:
            if seeds.count(seed) > 1:
                names = [run.name for run in group.runs if run.settings.get(SEED) == seed]
                raise InputError(f"--against needs one run for each seed: {' and '.join(names[:2])} are of seed {seed}")


def _print(rows: list[list[str]], form: str) -> None:
    from ganfw.ledger.formats import FORMATS

    if form == "terminal":
        say_table(rows)
    else:
        say(FORMATS[form](rows))


def _plain(value: Any) -> str:
    """Write a value with all its digits; nothing for none."""
    if value is None:
        return ""
    from ganfw.ledger.values import show_value

    return repr(value) if isinstance(value, float) else show_value(value)


def _say_problems(runs: "Runs") -> None:
    problems = [problem for run in runs for problem in run.problems]
    for problem in problems[:5]:
        say(problem, err=True)
    if len(problems) > 5:
        say(f"and {len(problems) - 5} more files that cannot be read", err=True)
