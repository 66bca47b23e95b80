"""What `environment.json` says: versions, device, packages."""

from pathlib import Path
from typing import Any

from attrs import field, frozen

from ganfw.errors import RunError
from ganfw.report.reading import Tell, count_of, read_object, text_of

MAX_BYTES = 16 << 20
"""An `environment.json` larger than this (16 MiB, thousands of resumes) is refused."""

_FACTS = {
    "command": "command",
    "ganfw": "ganfw",
    "python": "Python",
    "torch": "torch",
    "platform": "platform",
    "device": "device",
    "device_name": "device's name",
    "threads": "threads",
    "processes": "processes",
    "git_commit": "git commit",
    "data_sha256": "SHA-256 of the data",
}


@frozen
class UsedPart:
    """A part, and the package it came from."""

    table: str
    name: str
    distribution: str
    version: str
    target: str


@frozen
class Environment:
    """On what a run was made.

    Attributes:
        name: the recipe's name.
        seed: the run's seed; empty where unknown.
        device: the torch device.
        facts: all else, by what it is called on the page.
        parts: the parts that were used.
        resumed: the steps at which the run was taken up again.
    """

    name: str = ""
    seed: str = ""
    device: str = ""
    facts: dict[str, str] = field(factory=dict)
    parts: tuple[UsedPart, ...] = ()
    resumed: tuple[int, ...] = ()


def read_environment(path: Path, tell: Tell) -> Environment:
    """Read the record of a run; what cannot be read is told, and left out."""
    try:
        values = read_object(path, MAX_BYTES)
    except RunError as error:
        tell(str(error))
        return Environment()
    parts, resumed = values.get("parts"), values.get("resumed")
    return Environment(
        name=text_of(values.get("name")),
        seed=text_of(values.get("seed")),
        device=text_of(values.get("device")),
        facts={shown: text for key, shown in _FACTS.items() if (text := text_of(values.get(key)))},
        parts=_parts(parts) if isinstance(parts, dict) else (),
        resumed=_steps(resumed) if isinstance(resumed, list) else (),
    )


def _parts(parts: dict[str, Any]) -> tuple[UsedPart, ...]:
    return tuple(
        UsedPart(text_of(table), *(text_of(part.get(key)) for key in ("name", "distribution", "version", "target")))
        for table, part in list(parts.items())[:200]
        if isinstance(part, dict)
    )


def _steps(resumed: list[Any]) -> tuple[int, ...]:
    steps = [count_of(resume.get("step")) for resume in resumed if isinstance(resume, dict)]
    return tuple(step for step in steps[:1000] if step is not None)
