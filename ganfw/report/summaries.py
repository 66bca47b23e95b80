"""Numbers over the runs of a group: mean and spread, as tables show them and charts draw them."""

from collections.abc import Sequence
from statistics import fmean, stdev

from attrs import frozen

from ganfw.report.axis import DASH, with_deviation
from ganfw.report.chart import Point
from ganfw.report.curves import Points
from ganfw.report.evaluations import EvaluationFile, Score, Scores
from ganfw.report.groups import Group, names_in
from ganfw.report.names import ARROWS, metric_name


@frozen
class Summary:
    """A metric over the runs of a group.

    Attributes:
        mean: over the seeds; None if a run has no value.
        deviation: the sample standard deviation (n - 1); None of a single run.
        score: that of the first run, or of the first that has no value.
    """

    mean: float | None
    deviation: float | None
    score: Score

    @property
    def text(self) -> str:
        """Mean and deviation."""
        return with_deviation(self.mean, self.deviation)

    @property
    def note(self) -> str:
        """Why the value or the score of real data is missing."""
        if self.mean is None:
            return self.score.reason
        return self.score.real_data_reason if self.score.real_data is None else ""


def mean_curve(curves: Sequence[Points]) -> list[Point]:
    """Return the mean at each step where all curves have a value, and the sample standard deviation there.

    A single curve is returned whole, without deviations.
    """
    if len(curves) == 1:
        return [(step, value, None) for step, value in curves[0]]
    tables = [{step: value for step, value in curve if value is not None} for curve in curves]
    columns = {step: [table[step] for table in tables] for step in sorted(set.intersection(*map(set, tables)))}
    return [(step, fmean(column), stdev(column)) for step, column in columns.items()]


def newest_shared(group: Group) -> list[EvaluationFile]:
    """Return the plain evaluation of each run at the newest step that all runs of the group were evaluated at."""
    tables = [{each.step: each for each in run.evaluations} for run in group.runs]
    shared = set.intersection(*map(set, tables))
    return [table[max(shared)] for table in tables] if shared else []


def summarise(tables: Sequence[Scores]) -> dict[str, Summary]:
    """Return the mean and deviation of each metric that is one number, over the tables of several runs."""
    summaries = {}
    for name in names_in(tables):
        scores = [table[name] for table in tables if name in table]
        if any(score.values for score in scores):
            continue
        values = [score.value for score in scores if score.value is not None]
        if len(values) < len(tables):
            lacking = next((score for score in scores if score.value is None), scores[0])
            summaries[name] = Summary(None, None, lacking)
        else:
            summaries[name] = Summary(fmean(values), stdev(values) if len(values) > 1 else None, scores[0])
    return summaries


def compared_metrics(
    groups: Sequence[Group],
) -> tuple[list[tuple[str, str]], list[tuple[Group, int, list[Summary | None]]]]:
    """Return names of metrics with their arrows, and for each group that was evaluated the step and its metrics."""
    newest = [(group, each) for group in groups if (each := newest_shared(group))]
    rows = [(group, each[0].step, summarise([evaluation.scores for evaluation in each])) for group, each in newest]
    betters = {name: each.score.better for _, _, summaries in rows for name, each in summaries.items()}
    columns = [(metric_name(name), ARROWS[better]) for name, better in betters.items()]
    return columns, [(group, step, [summaries.get(name) for name in betters]) for group, step, summaries in rows]


def truncation_rows(curves: Sequence[EvaluationFile]) -> tuple[list[str], list[list[str]]]:
    """Return the columns of a table of truncation curves, and a row for each threshold that all curves have."""
    first, *others = (dict(curve.points) for curve in curves)
    thresholds = [threshold for threshold in first if all(threshold in other for other in others)]
    tables = [summarise([table[threshold] for table in (first, *others)]) for threshold in thresholds]
    known = [{name: each.text for name, each in table.items() if each.mean is not None} for table in tables]
    names = names_in(known)
    rows = [
        ["none" if threshold is None else f"{threshold:g}", *(texts.get(name, DASH) for name in names)]
        for threshold, texts in zip(thresholds, known, strict=True)
    ]
    return ["threshold", *map(metric_name, names)], rows
