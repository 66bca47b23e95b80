"""A run directory as a value: all that a page shows of it but the pixels."""

import re
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from ganfw.errors import RunError
from ganfw.report.curves import Curves, read_curves
from ganfw.report.environment import Environment, read_environment
from ganfw.report.evaluations import Evaluation, read_evaluations
from ganfw.report.reading import files_in, text_of
from ganfw.report.settings import Setting, read_settings

_GRID = re.compile(r"step-(\d{1,15})\.png")
_PICTURE = re.compile(r"step-(\d{1,15})-(?:.+-)?(neighbours|truncation-grid)\.png")
_OF_A_RUN = ("environment.json", "recipe.toml", "metrics.jsonl")


@frozen
class Run:
    """A run.

    Attributes:
        label: what tells it from the other runs of the page.
        directory: where it is.
        settings: its recipe.
        environment: on what it was made.
        curves: what happened along the way.
        grids: the grids of samples, by step.
        real: the grid of real samples.
        evaluations: the plain evaluations, by step; if there is none, those that differ from plain ones in the least.
        variants: evaluations that differ from the plain ones in something.
        truncation: the newest truncation curve.
        truncation_grid: the newest picture of samples at several thresholds.
        neighbours: the newest picture of samples and the training samples nearest to them.
        problems: what could not be read, a sentence each.
    """

    label: str
    directory: Path
    settings: tuple[Setting, ...]
    environment: Environment
    curves: Curves
    grids: dict[int, Path]
    real: Path | None
    evaluations: tuple[Evaluation, ...]
    variants: tuple[Evaluation, ...]
    truncation: Evaluation | None
    truncation_grid: Path | None
    neighbours: Path | None
    problems: tuple[str, ...]

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.environment.name or self.label

    @property
    def seed(self) -> str:
        """The run's seed."""
        return next((each.value for each in self.settings if each.key == "run.seed"), self.environment.seed)

    @property
    def step(self) -> int:
        """The last step of which there is a trace."""
        return max([self.curves.step, *self.grids, *(each.step for each in self.evaluations)])


def read_runs(directories: Sequence[Path]) -> list[Run]:
    """Read run directories. What is damaged in one is told in its `problems`.

    Raises:
        RunError: one is no run directory.
    """
    for directory in directories:
        if not directory.is_dir():
            raise RunError(f"{directory}: no such run directory")
        if not any((directory / name).is_file() for name in _OF_A_RUN):
            raise RunError(f"{directory}: no run directory: it has none of {', '.join(_OF_A_RUN)}")
    return [_read_run(*pair) for pair in zip(directories, _labels(directories), strict=True)]


def _labels(directories: Sequence[Path]) -> list[str]:
    """Call each run by its directory's name, with as much of the path before it as tells it from the others."""
    paths = [directory.resolve() for directory in directories]
    labels: list[str] = []
    for path in paths:
        others = {other for other in paths if other != path}
        depth = 1
        while depth < len(path.parts) and any(other.parts[-depth:] == path.parts[-depth:] for other in others):
            depth += 1
        label = text_of("/".join(path.parts[-depth:]))
        labels.append(label if label not in labels else f"{label} ({len(labels) + 1})")
    return labels


def _read_run(directory: Path, label: str) -> Run:
    problems: list[str] = []

    def tell(sentence: str) -> None:
        problems.append(text_of(sentence.removeprefix(f"{directory}/")))

    try:
        settings = read_settings(directory / "recipe.toml")
    except RunError as error:
        tell(str(error))
        settings = ()
    samples, evaluated = files_in(directory / "samples"), files_in(directory / "eval")
    evaluations = read_evaluations(evaluated, tell)
    matches = [match for path in evaluated if (match := _PICTURE.fullmatch(path.name))]
    matches.sort(key=lambda match: (int(match[1]), -len(match[0])))
    newest = {match[2]: directory / "eval" / match[0] for match in matches}
    curves = [each for each in evaluations if each.points]
    measured = [each for each in evaluations if not each.points]
    plain = _nearest_to_plain(measured).variant if measured else ""
    return Run(
        label=label,
        directory=directory,
        settings=settings,
        environment=read_environment(directory / "environment.json", tell),
        curves=read_curves(directory / "metrics.jsonl", tell),
        grids={int(match[1]): path for path in samples if (match := _GRID.fullmatch(path.name))},
        real=next((path for path in samples if path.name == "real.png"), None),
        evaluations=tuple(each for each in measured if each.variant == plain),
        variants=tuple(each for each in measured if each.variant != plain),
        truncation=max(curves, key=lambda each: (each.step, -len(each.variant)), default=None),
        truncation_grid=newest.get("truncation-grid"),
        neighbours=newest.get("neighbours"),
        problems=tuple(problems),
    )


def _nearest_to_plain(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Return the newest of the evaluations whose names say that the least differs."""
    return min(reversed(evaluations), key=lambda each: len(each.variant))
