"""A run directory as a value: all that a page shows of it but the pixels."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import TypeVar

from attrs import frozen

from ganfw.errors import RunError
from ganfw.files import is_folder
from ganfw.report.axis import duration
from ganfw.report.curves import Curves, read_curves
from ganfw.report.environment import Environment, read_environment
from ganfw.report.evaluations import EvaluationFile, read_evaluations
from ganfw.report.reading import files_in
from ganfw.report.settings import Setting, read_settings

T = TypeVar("T")

_GRID = re.compile(r"step-(\d{1,15})\.png")
_PICTURE = re.compile(r"step-(\d{1,15})-(?:.+-)?(neighbours|truncation|truncation-grid)\.png")
_OF_A_RUN = ("environment.json", "recipe.toml", "metrics.jsonl")


@frozen
class Run:
    """A run.

    Attributes:
        label: its name, different from those of the other runs of the page.
        directory: where it is.
        settings: its recipe; empty for a run that was composed by hand.
        environment: on what it was made.
        curves: what happened during training.
        grids: the grids of samples, by step.
        real: the grid of real samples.
        evaluations: the plain evaluations, by step; if there is none, those that differ from plain ones in the least.
        variants: evaluations that differ from the plain ones in something.
        truncation: the newest truncation curve.
        pictures: the newest `neighbours`, `truncation` and `truncation-grid` that evaluations have drawn.
        problems: what could not be read, a sentence each.
    """

    label: str
    directory: Path
    settings: tuple[Setting, ...]
    environment: Environment
    curves: Curves
    grids: dict[int, Path]
    real: Path | None
    evaluations: tuple[EvaluationFile, ...]
    variants: tuple[EvaluationFile, ...]
    truncation: EvaluationFile | None
    pictures: dict[str, Path]
    problems: tuple[str, ...]

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.environment.name or self.label

    @property
    def seed(self) -> str:
        """The run's seed; empty where unknown."""
        return self.setting("run.seed") or self.environment.seed

    @property
    def step(self) -> int:
        """The last step of which there is a trace."""
        return max([self.curves.step, *self.grids, *(each.step for each in self.evaluations)])

    @property
    def finished(self) -> bool:
        """Whether training ended by itself: at `run.max_steps`, or with a window that the last step cut short."""
        limit, window = self.limit("run.max_steps"), self.limit("run.log_every_steps")
        cut_short = window is not None and self.step == self.curves.step and self.step % window != 0
        return cut_short or (limit is not None and self.step >= limit)

    @property
    def headline(self) -> dict[str, str]:
        """How far the run came, for how long, on what; empty where unknown."""
        curves, limit, epochs = self.curves, self.limit("run.max_steps"), self.limit("run.epochs")
        of = " (finished)" if self.finished else f" of at most {limit:,}" if limit else ""
        return {
            "step": f"{self.step:,}{of}",
            "epoch": (f"{curves.epoch:,}" + (f" of {epochs:,}" if epochs else "")) if curves.epoch else "",
            "images seen": f"{curves.images:,}" if curves.images else "",
            "seed": self.seed,
            "training took": duration(curves.seconds) if curves.seconds else "",
            "steps": f"{curves.step / curves.seconds:,.0f} a second" if curves.seconds and curves.step else "",
            "device": self.environment.details.get("device", ""),
            "warnings": ", ".join(curves.warnings),
        }

    def limit(self, key: str) -> int | None:
        """Return a setting that is a positive whole number; None if it is something else, or not there."""
        value = self.setting(key)
        return int(value) if value.isdecimal() and len(value) <= 15 and int(value) > 0 else None

    def setting(self, key: str) -> str:
        """Return the value of a setting as the recipe writes it; empty if there is none."""
        return next((each.value for each in self.settings if each.key == key), "")


def read_runs(directories: Sequence[Path]) -> list[Run]:
    """Read run directories. What is damaged in one is named in its `problems`.

    Raises:
        RunError: one is not a run directory.
    """
    for directory in directories:
        if not is_folder(directory):
            raise RunError(f"{directory}: no such run directory; see: ganfw runs")
        if not any((directory / name).is_file() for name in _OF_A_RUN):
            raise RunError(f"{directory}: not a run directory: it has none of {', '.join(_OF_A_RUN)}; see: ganfw runs")
    return [_read_run(*pair) for pair in zip(directories, _labels(directories), strict=True)]


def _labels(directories: Sequence[Path]) -> list[str]:
    """Call each run by its directory's name, with as much of the path before it as makes the names different."""
    paths = [directory.resolve() for directory in directories]
    depth = next(depth for depth in count(1) if len({path.parts[-depth:] for path in paths}) == len(set(paths)))
    names = ["/".join(path.parts[-depth:]) for path in paths]
    return [name if name not in names[:place] else f"{name} ({place + 1})" for place, name in enumerate(names)]


def _read_run(directory: Path, label: str) -> Run:
    problems: list[str] = []

    def read(reader: Callable[[Path], T], name: str, otherwise: T) -> T:
        path = directory / name
        try:
            return reader(path) if path.exists() or path.is_symlink() else otherwise
        except RunError as error:
            problems.append(str(error))
            return otherwise

    samples, evaluated = files_in(directory / "samples"), files_in(directory / "eval")
    evaluations = read_evaluations(evaluated, problems)
    drawn = [match for path in evaluated if (match := _PICTURE.fullmatch(path.name))]
    drawn.sort(key=lambda match: (int(match[1]), -len(match[0])))
    curves = [each for each in evaluations if each.points]
    measured = [each for each in evaluations if not each.points]
    plain = min((each.variant for each in reversed(measured)), key=len, default="")
    return Run(
        label=label,
        directory=directory,
        settings=read(read_settings, "recipe.toml", ()),
        environment=read(read_environment, "environment.json", Environment()),
        curves=read(partial(read_curves, problems=problems), "metrics.jsonl", Curves()),
        grids={int(match[1]): path for path in samples if (match := _GRID.fullmatch(path.name))},
        real=next((path for path in samples if path.name == "real.png"), None),
        evaluations=tuple(each for each in measured if each.variant == plain),
        variants=tuple(each for each in measured if each.variant != plain),
        truncation=max(curves, key=lambda each: (each.step, -len(each.variant)), default=None),
        pictures={match[2]: directory / "eval" / match[0] for match in drawn},
        problems=tuple(problem.removeprefix(f"{directory}/") for problem in problems),
    )
