"""What `metrics.jsonl` says: named values over the steps, and warnings."""

from pathlib import Path
from typing import Any

from attrs import field, frozen

from ganfw.errors import RunError
from ganfw.files import read_bounded
from ganfw.report.reading import Tell, count_of, number_of, parse_object, text_of

MAX_BYTES = 64 << 20
"""A `metrics.jsonl` larger than this (64 MiB, about half a million lines) is refused."""

MAX_NAMES = 40
"""Of more named values than this, the others are left out."""

_PLACE = ("step", "epoch", "images", "seconds", "warnings")

Points = tuple[tuple[float, float | None], ...]
"""Steps in rising order, and a value at each, or None where there is none."""


@frozen
class Curves:
    """What happened along the way.

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


def read_curves(path: Path, tell: Tell) -> Curves:
    """Read the lines of a `metrics.jsonl`; what cannot be read is told, and left out."""
    if not path.exists() and not path.is_symlink():
        return Curves()
    try:
        content = read_bounded(path, MAX_BYTES)
    except RunError as error:
        tell(str(error))
        return Curves()
    *whole, _unfinished = content.split(b"\n")  # the line that is being written has no end yet
    lines: list[tuple[int, dict[str, Any]]] = []
    damaged = []
    for number, line in enumerate(whole, 1):
        try:
            values = parse_object(line, path.name)
        except RunError:
            values = {}
        step = count_of(values.get("step"))
        if step is None or (lines and step <= lines[-1][0]):
            damaged.append(number)
        else:
            lines.append((step, {name: _kept(name, value) for name, value in values.items()}))
    if damaged:
        tell(f"{path}: {len(damaged)} of {len(whole)} lines cannot be read, the first is line {damaged[0]}")
    return _gather(lines, path, tell)


def _kept(name: str, value: Any) -> Any:
    """Keep of a value what is shown of it, so that a large file needs little memory."""
    if name in ("step", "epoch", "images"):
        return count_of(value)
    if name == "warnings":
        return [text_of(warning) for warning in value[:10]] if isinstance(value, list) else []
    return number_of(value)


def _gather(lines: list[tuple[int, dict[str, Any]]], path: Path, tell: Tell) -> Curves:
    if not lines:
        return Curves()
    names = list(dict.fromkeys(name for _, line in lines for name in line if name not in _PLACE))
    if len(names) > MAX_NAMES:
        tell(f"{path}: {len(names)} named values; the first {MAX_NAMES} are shown")
    warnings: dict[str, list[int]] = {}
    for step, line in lines:
        for warning in line.get("warnings", ()):
            warnings.setdefault(warning, []).append(step)
    step, last = lines[-1]
    return Curves(
        step=step,
        epoch=last.get("epoch") or 0,
        images=last.get("images") or 0,
        seconds=max(0.0, last.get("seconds") or 0.0),
        values={
            text_of(name): tuple((float(step), line.get(name)) for step, line in lines) for name in names[:MAX_NAMES]
        },
        warnings={name: tuple(steps) for name, steps in list(warnings.items())[:MAX_NAMES]},
    )
