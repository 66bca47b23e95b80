"""What `metrics.jsonl` says: named values over the steps, and warnings."""

from pathlib import Path
from typing import Any

from attrs import field, frozen

from ganfw.errors import RunError
from ganfw.files import read_bounded
from ganfw.report.reading import MOST, count_of, number_of, parse_object, text_of

MAX_BYTES = 64 << 20
"""A `metrics.jsonl` larger than this (64 MiB, about half a million lines) is refused."""

_PLACE = ("step", "epoch", "images", "seconds", "warnings")

Points = tuple[tuple[int, float | None], ...]
"""Steps in rising order, and a value at each, or None where there is none."""


@frozen
class Curves:
    """What happened during training.

    Attributes:
        step: the last step there is a line of; 0 if there is none.
        epoch: the epoch of that step.
        images: images seen by then.
        seconds: seconds of training by then.
        values: for each name, its value at each step.
        warnings: for each name of a warning, the steps at which it was given.
    """

    step: int = 0
    epoch: int = 0
    images: int = 0
    seconds: float = 0.0
    values: dict[str, Points] = field(factory=dict)
    warnings: dict[str, tuple[int, ...]] = field(factory=dict)


def read_curves(path: Path, problems: list[str]) -> Curves:
    """Read the lines of a `metrics.jsonl`; those that cannot be read are left out, and named in `problems`.

    Raises:
        RunError: the file is missing, too large, or not an ordinary file.
    """
    *whole, _unfinished = read_bounded(path, MAX_BYTES).split(b"\n")  # the line that is being written has no end yet
    lines: list[dict[str, Any]] = []
    damaged = []
    for number, content in enumerate(whole, 1):
        line = _read_line(content)
        if line["step"] is None or (lines and line["step"] <= lines[-1]["step"]):
            damaged.append(number)
        else:
            lines.append(line)
    if damaged:
        problems.append(f"{path}: {len(damaged)} of {len(whole)} lines cannot be read, the first is line {damaged[0]}")
    names = list(dict.fromkeys(name for line in lines for name in line if name not in _PLACE))
    if len(names) > MOST:
        problems.append(f"{path}: {len(names)} named values; the first {MOST} are shown")
    return _gather(lines, names[:MOST]) if lines else Curves()


def _read_line(content: bytes) -> dict[str, Any]:
    """Keep of a line only what is shown of it, so that a large file needs little memory; its step may be None."""
    try:
        values = parse_object(content, "")
    except RunError:
        return {"step": None}
    warnings = values.get("warnings")
    return {
        **{name: number_of(value) for name, value in values.items() if name != "warnings"},
        **{name: count_of(values.get(name)) for name in ("step", "epoch", "images")},
        "warnings": [text_of(warning) for warning in warnings[:10]] if isinstance(warnings, list) else [],
    }


def _gather(lines: list[dict[str, Any]], names: list[str]) -> Curves:
    warnings: dict[str, list[int]] = {}
    for line in lines:
        for warning in dict.fromkeys(line["warnings"]):
            warnings.setdefault(warning, []).append(line["step"])
    last = lines[-1]
    return Curves(
        step=last["step"],
        epoch=last["epoch"] or 0,
        images=last["images"] or 0,
        seconds=max(0.0, last.get("seconds") or 0.0),
        values={text_of(name): tuple((line["step"], line.get(name)) for line in lines) for name in names},
        warnings={name: tuple(steps) for name, steps in list(warnings.items())[:MOST]},
    )
