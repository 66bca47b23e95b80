"""What `eval/` says: metrics of a checkpoint, and how they change with truncation."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from ganfw.errors import RunError
from ganfw.report.reading import MOST, described, number_of, read_object, text_of

MAX_EVALUATIONS = 400
"""Of more evaluations than this, the older ones are left out."""

_NAME = re.compile(r"step-(\d{1,15})(?:-(.+))?\.json")
_REFERENCE = ("reference.data", "reference.split", "reference.count", "embedding.name", "embedding.identity")
_DETAILS = ("count", "seed", "truncation", "averaged", "sampler", *_REFERENCE, "checkpoint", "device", "seconds")


@frozen
class Score:
    """A metric's value, or why there is none.

    Attributes:
        value: the number; None where there is none.
        values: the numbers, of a metric that gives a list.
        better: `"lower"`, `"higher"`, or `""` where neither is.
        real_data: the same of real training images instead of samples.
        real_data_values: the same, of a metric that gives a list.
        reason: why the value is missing.
        real_data_reason: why the score of real data is missing.
    """

    value: float | None = None
    values: tuple[float, ...] = ()
    better: str = ""
    real_data: float | None = None
    real_data_values: tuple[float, ...] = ()
    reason: str = ""
    real_data_reason: str = ""


Scores = Mapping[str, Score]
"""Scores by the metric's name."""


@frozen
class EvaluationFile:
    """One file of `eval/`.

    Attributes:
        step: the step of the checkpoint.
        variant: what differs from the plain evaluation, as the file's name says; empty for the plain one.
        details: what was compared with what, by their keys.
        scores: of no truncation curve.
        points: of a truncation curve, the thresholds, None for no truncation, and the scores at each.
    """

    step: int
    variant: str
    details: Mapping[str, str]
    scores: Scores
    points: tuple[tuple[float | None, Scores], ...] = ()


def read_evaluations(files: Iterable[Path], problems: list[str]) -> list[EvaluationFile]:
    """Read evaluations, by step; one that cannot be read is left out, and named in `problems`."""
    named = [(int(match[1]), match[2] or "", path) for path in files if (match := _NAME.fullmatch(path.name))]
    named.sort()
    if len(named) > MAX_EVALUATIONS:
        problems.append(f"eval: {len(named)} evaluations; the newest {MAX_EVALUATIONS} are read")
    found = []
    for step, variant, path in named[-MAX_EVALUATIONS:]:
        try:
            found.append(_evaluation(read_object(path), step, variant, path))
        except RunError as error:
            problems.append(str(error))
    return found


def _evaluation(values: dict[str, Any], step: int, variant: str, path: Path) -> EvaluationFile:
    if values.get("format") != 1:
        raise RunError(f"{path}: not an evaluation of format 1")
    points = values.get("points")
    if points is None:
        return EvaluationFile(step, variant, described(values, _DETAILS), _scores(values.get("metrics"), path))
    if not isinstance(points, list) or not points or not all(isinstance(point, dict) for point in points):
        raise RunError(f"{path}: holds no points")
    curve = tuple((number_of(point.get("truncation")), _scores(point.get("metrics"), path)) for point in points[:MOST])
    return EvaluationFile(step, variant, described(values, _DETAILS), {}, curve)


def _scores(values: Any, path: Path) -> dict[str, Score]:
    if not isinstance(values, dict) or not all(isinstance(score, dict) for score in values.values()):
        raise RunError(f"{path}: holds no metrics")
    return {text_of(name): _score(score) for name, score in list(values.items())[:MOST]}


def _score(score: dict[str, Any]) -> Score:
    value, real_data, better = score.get("value"), score.get("real_data"), score.get("better")
    return Score(
        value=number_of(value),
        values=_numbers(value),
        better=better if better in ("lower", "higher") else "",
        real_data=number_of(real_data),
        real_data_values=_numbers(real_data),
        reason=text_of(score.get("reason")),
        real_data_reason=text_of(score.get("real_data_reason")),
    )


def _numbers(value: Any) -> tuple[float, ...]:
    """Return the numbers of a list that can be drawn; none of any other."""
    numbers = [number_of(item) for item in value] if isinstance(value, list) and len(value) <= MOST else []
    return tuple(number for number in numbers if number is not None) if None not in numbers else ()
