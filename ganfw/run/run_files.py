"""What a run directory says of each step: metrics, evaluations, warnings and pictures."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

_EVALUATION = re.compile(r"step-\d+(-count-\d+)?\.json")
"""Evaluations with the run's own seed, without truncation and the like."""
_PICTURE = re.compile(r"(step-\d+|real)\.png")


@frozen
class StepRecord:
    """What a run directory says of one step.

    Attributes:
        step: which.
        values: by name: `"loss/generator"`, `"evaluation_2000/frechet_distance"`.
        warnings: names of what was wrong in the window that ends at the step.
        picture: of samples, or None; at step 0 of real ones.
    """

    step: int
    values: dict[str, float] = field(factory=dict)
    warnings: tuple[str, ...] = ()
    picture: Path | None = None


class RunFiles:
    """Reads a run directory while it grows.

    Args:
        directory: the run directory.
        window: steps in a window of metrics. A line of a shorter one is left out, because a resume replaces it.
    """

    def __init__(self, directory: Path, window: int) -> None:
        self._directory = directory
        self._window = window
        self._bytes = 0
        self._seen: set[Path] = set()

    def new(self) -> list[StepRecord]:
        """Return what came since the last call, a record for each step, in their order."""
        found: dict[int, dict[str, Any]] = {}
        for step, change in (*self._lines(), *self._evaluations(), *self._pictures()):
            known = found.setdefault(step, {"values": {}})
            known |= {**change, "values": known["values"] | change.get("values", {})}
        return [StepRecord(step, **found[step]) for step in sorted(found)]

    def _lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        path = self._directory / "metrics.jsonl"
        if not path.exists():
            return
        with path.open("rb") as file:
            file.seek(self._bytes)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._bytes += len(whole + newline)
        for line in map(json.loads, whole.splitlines()):
            step = line.pop("step")
            if step % self._window == 0:
                yield step, {"warnings": tuple(line.pop("warnings", ())), "values": _numbers(line)}

    def _evaluations(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for path in self._unseen("eval", _EVALUATION):
            found = json.loads(path.read_bytes())
            values = _numbers({name: result["value"] for name, result in found["metrics"].items()})
            named = {f"evaluation_{found['count']}/{name}": value for name, value in values.items()}
            yield found["step"], {"values": named}

    def _pictures(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for path in self._unseen("samples", _PICTURE):
            yield int(path.stem.removeprefix("step-")) if path.stem != "real" else 0, {"picture": path}

    def _unseen(self, folder: str, pattern: re.Pattern[str]) -> list[Path]:
        paths = {path for path in (self._directory / folder).glob("*") if pattern.fullmatch(path.name)}
        unseen = sorted(paths - self._seen)
        self._seen |= paths
        return unseen


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Return the values that are finite numbers; of a result, others are null or words."""
    numbers = {name: value for name, value in values.items() if type(value) in (int, float)}
    return {name: float(value) for name, value in numbers.items() if math.isfinite(value)}
