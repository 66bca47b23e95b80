"""Runs that differ in nothing but the seed are one experiment; in what experiments differ."""

from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen

from ganfw.report.axis import DASH
from ganfw.report.chart import STYLES
from ganfw.report.run import Run

MOST_IN_LABEL = 3
"""If more settings differ than this, a label has only those that are needed to make it unique."""

Rows = list[tuple[str, list[str]]]
"""Keys, and for each the value in every group."""


@frozen
class Group:
    """Runs of one recipe that differ only in the seed, often one; what the page calls them, and their style."""

    label: str
    runs: tuple[Run, ...]
    style: int


def group_runs(runs: Sequence[Run]) -> list[Group]:
    """Put runs together whose settings are the same but for `run.seed`; a run without a recipe stays by itself."""
    found: dict[object, list[Run]] = {}
    for number, run in enumerate(runs):
        settings = frozenset((each.key, each.value) for each in run.settings if each.key != "run.seed")
        found.setdefault(settings or number, []).append(run)
    members = [tuple(each) for each in found.values()]
    named = enumerate(zip(_labels(members), members, strict=True))
    return [Group(label, each, number % STYLES) for number, (label, each) in named]


def _labels(groups: Sequence[tuple[Run, ...]]) -> list[str]:
    """Call each group by the settings that differ, or by its run where there are none."""
    rows = telling_settings(differing_settings(groups))
    labels: list[str] = []
    for number, runs in enumerate(groups):
        settings = ", ".join(f"{key} = {_short(values[number])}" for key, values in rows) if runs[0].settings else ""
        seeds = f" ({len(runs)} seeds)" if len(runs) > 1 else ""
        label = (settings or (runs[0].name if seeds else runs[0].label)) + seeds
        labels.append(label if label not in labels else f"{label}, {runs[0].label}")
    return labels


def telling_settings(rows: Rows) -> Rows:
    """Choose what labels say: parts first, without what follows from another part, and not more than is needed."""
    parts = tuple(key.removesuffix("use") for key, _ in rows if key.endswith(".use"))
    rows = [row for row in rows if row[0].endswith(".use") or not row[0].startswith((*parts, "run.seed"))]
    rows.sort(key=lambda row: not row[0].endswith(".use"))
    kinds = [len(set(zip(*(values for _, values in rows[:count]), strict=True))) for count in range(len(rows) + 1)]
    return rows if len(rows) <= MOST_IN_LABEL else rows[: kinds.index(kinds[-1])]


def _short(value: str) -> str:
    text = value.strip('"').removeprefix("ganfw:")
    return text if len(text) <= 40 else f"…{text[-39:]}"


def differing_settings(groups: Sequence[tuple[Run, ...]]) -> Rows:
    """Return the keys that are not the same in all groups with a recipe; a dash stands where there is none."""
    tables = [{each.key: each.value for each in runs[0].settings} for runs in groups]
    rows = []
    for key in names_in(tables):
        values = [table.get(key, DASH) for table in tables]
        if key == "run.seed":
            values = [", ".join(dict.fromkeys(run.seed or DASH for run in runs)) for runs in groups]
        if len({value for value, table in zip(values, tables, strict=True) if table}) > 1:
            rows.append((key, values))
    return rows


def names_in(tables: Iterable[Mapping[str, object]]) -> list[str]:
    """Return all keys of several tables, in the order in which they are first met."""
    return list(dict.fromkeys(name for table in tables for name in table))
