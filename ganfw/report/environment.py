"""What `environment.json` says: versions, device, packages."""

from pathlib import Path

from attrs import field, frozen

from ganfw.report.reading import MOST, count_of, described, read_object, text_of

_MACHINE = ("ganfw", "python", "torch", "platform", "device", "device_name", "threads", "processes")
_DETAILS = ("command", *_MACHINE, "git_commit", "data_sha256", "data_licence")


@frozen
class Environment:
    """On what a run was made.

    Attributes:
        name: the recipe's name.
        seed: the run's seed; empty where unknown.
        details: the rest, by their keys.
        parts: for each part that was used its table, name, package and version.
        resumed: the steps at which the run was resumed.
    """

    name: str = ""
    seed: str = ""
    details: dict[str, str] = field(factory=dict)
    parts: tuple[tuple[str, ...], ...] = ()
    resumed: tuple[int, ...] = ()


def read_environment(path: Path) -> Environment:
    """Read the record of a run.

    Raises:
        RunError: the file is missing or damaged.
    """
    values = read_object(path)
    parts, resumed = values.get("parts"), values.get("resumed")
    steps = [resume.get("step") for resume in resumed if isinstance(resume, dict)] if isinstance(resumed, list) else []
    return Environment(
        name=text_of(values.get("name")),
        seed=text_of(values.get("seed")),
        details=described(values, _DETAILS),
        parts=tuple(
            (text_of(table), *(text_of(part.get(key)) for key in ("name", "distribution", "version")))
            for table, part in (list(parts.items())[:MOST] if isinstance(parts, dict) else ())
            if isinstance(part, dict)
        ),
        resumed=tuple(step for step in map(count_of, steps) if step is not None),
    )
