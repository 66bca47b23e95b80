"""What `eval/` says: metrics of a checkpoint, and how they change with truncation."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from ganfw.errors import RunError
from ganfw.report.reading import Tell, count_of, number_of, read_object, text_of

MAX_BYTES = 4 << 20
"""An evaluation larger than this (4 MiB) is refused."""

MAX_EVALUATIONS = 400
"""Of more evaluations than this, the older ones are left out."""

MAX_METRICS = 60
"""Of more metrics in one evaluation, the others are left out."""

MAX_VALUES = 100
"""A longer list of values is not drawn."""

_NAME = re.compile(r"step-(\d{1,15})(?:-(.+))?\.json")


@frozen
class Result:
    """A metric's value, or why there is none.

    Attributes:
        value: the number; None where there is none.
        values: the numbers, of a metric that gives a list.
        better: `"lower"`, `"higher"`, or `""` where neither is.
        floor: the same of real training images in the place of samples.
        floors: the same, of a metric that gives a list.
        reason: why there is no value.
        floor_reason: why there is no floor.
    """

    value: float | None = None
    values: tuple[float, ...] = ()
    better: str = ""
    floor: float | None = None
    floors: tuple[float, ...] = ()
    reason: str = ""
    floor_reason: str = ""


@frozen
class Evaluation:
    """One file of `eval/`.

    Attributes:
        step: the step of the checkpoint.
        variant: what differs from the plain evaluation, as the file's name says; empty for the plain one.
        facts: what was judged against what, in words.
        results: by the metric's name; of a truncation curve, of no truncation.
        points: of a truncation curve, the thresholds, None for no truncation, and the results at each.
    """

    step: int
    variant: str
    facts: Mapping[str, str]
    results: Mapping[str, Result]
    points: tuple[tuple[float | None, Mapping[str, Result]], ...] = ()


def read_evaluations(files: Iterable[Path], tell: Tell) -> list[Evaluation]:
    """Read evaluations, by step; one that cannot be read is told, and left out."""
    named = [(int(match[1]), match[2] or "", path) for path in files if (match := _NAME.fullmatch(path.name))]
    named.sort()
    if len(named) > MAX_EVALUATIONS:
        tell(f"eval: {len(named)} evaluations; the newest {MAX_EVALUATIONS} are read")
    found = []
    for step, variant, path in named[-MAX_EVALUATIONS:]:
        try:
            found.append(_evaluation(read_object(path, MAX_BYTES), step, variant, path))
        except RunError as error:
            tell(str(error))
    return found


def _evaluation(values: dict[str, Any], step: int, variant: str, path: Path) -> Evaluation:
    if values.get("format") != 1:
        raise RunError(f"{path}: no evaluation of format 1")
    points = values.get("points")
    if points is None:
        return Evaluation(step, variant, _facts(values), _results(values.get("metrics"), path))
    if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
        raise RunError(f"{path}: holds no points")
    curve = tuple((number_of(point.get("truncation")), _results(point.get("metrics"), path)) for point in points[:100])
    return Evaluation(step, variant, _facts(values), {}, curve)


def _results(values: Any, path: Path) -> dict[str, Result]:
    if not isinstance(values, dict) or not all(isinstance(result, dict) for result in values.values()):
        raise RunError(f"{path}: holds no metrics")
    return {text_of(name): _result(result) for name, result in list(values.items())[:MAX_METRICS]}


def _result(result: dict[str, Any]) -> Result:
    value, floor, better = result.get("value"), result.get("floor"), result.get("better")
    return Result(
        value=number_of(value),
        values=_numbers(value),
        better=better if better in ("lower", "higher") else "",
        floor=number_of(floor),
        floors=_numbers(floor),
        reason=text_of(result.get("reason")),
        floor_reason=text_of(result.get("floor_reason")),
    )


def _numbers(value: Any) -> tuple[float, ...]:
    """Return the numbers of a list that can be drawn; none of any other."""
    if not isinstance(value, list) or len(value) > MAX_VALUES:
        return ()
    numbers = [number_of(item) for item in value]
    return tuple(number for number in numbers if number is not None) if None not in numbers else ()


def _facts(values: dict[str, Any]) -> dict[str, str]:
    """Return what was judged, in words, without what is missing."""
    reference, embedding = values.get("reference"), values.get("embedding")
    reference = reference if isinstance(reference, dict) else {}
    embedding = embedding if isinstance(embedding, dict) else {}
    seconds = number_of(values.get("seconds"))
    dimensions = count_of(embedding.get("dimensions"))
    facts = {
        "samples": _counted(values.get("count")),
        "seed": text_of(values.get("seed")),
        "truncation": text_of(values.get("truncation")),
        "weights": "averaged" if values.get("averaged") is True else "",
        "judged against": " ".join(
            filter(None, [_counted(reference.get("count")), *(text_of(reference.get(k)) for k in ("data", "split"))])
        ),
        "features": text_of(embedding.get("name")) + (f", {dimensions} dimensions" if dimensions else ""),
        "identity of the features": text_of(embedding.get("identity")),
        "checkpoint": text_of(values.get("checkpoint")),
        "device": text_of(values.get("device")),
        "took": f"{seconds:.1f} s" if seconds is not None else "",
    }
    return {name: fact for name, fact in facts.items() if fact}


def _counted(value: Any) -> str:
    count = count_of(value)
    return "" if count is None else f"{count:,}"
