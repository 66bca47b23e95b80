"""A run as one object: its networks and noise, its samples, its losses and metrics, and a plot of them."""

import functools
import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import define, field
from torch import Tensor, nn

from ganfw.display import Picture, html_table
from ganfw.engine.sampling import SampleSource
from ganfw.errors import RunError
from ganfw.evaluation.table import number_text
from ganfw.plugins.discovery import discover
from ganfw.plugins.registry import Registry
from ganfw.protocols import Noise
from ganfw.recipe.document import Recipe
from ganfw.recipe.resolution import resolve
from ganfw.report.curves import Points
from ganfw.report.names import metric_name
from ganfw.report.run import Run, read_runs
from ganfw.run.assembly import assemble
from ganfw.run.checkpoints import checkpoint_at
from ganfw.run.directory import create_run_directory
from ganfw.run.load import Checkpoint, open_checkpoint
from ganfw.training.loop import Training
from ganfw.training.signals import stop_on_signals


@define(eq=False)
class OpenedRun:
    """A run directory with one of its checkpoints. What is read from files is read anew each time.

    Attributes:
        directory: the run directory.
        checkpoint: where the networks come from.
        registry: what the plugins offer.
        device: where networks are: `"auto"`, `"cpu"`, `"cuda"`.
    """

    directory: Path
    checkpoint: Checkpoint = field(repr=lambda checkpoint: f"step {checkpoint.manifest.step}")
    registry: Registry = field(repr=False)
    device: str = "auto"

    @functools.cached_property
    def source(self) -> SampleSource:
        """What samples are made with: networks in evaluation mode, with mean weights where there are any."""
        return self.checkpoint.source(self.registry, self.device)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """The networks that samples are made with, by name."""
        return self.source.networks

    @property
    def generator(self) -> nn.Module:
        """The generator.

        Raises:
            RunError: samples of this run are made without one.
        """
        if "generator" not in self.networks:
            raise RunError(f"{self.directory}: it has no generator; it has: {', '.join(self.networks)}")
        return self.networks["generator"]

    @property
    def noise(self) -> Noise | None:
        """The sampler of the generator's input; None where the recipe has none."""
        return self.source.noise

    @property
    def recipe(self) -> Recipe:
        """The recipe that it was trained with."""
        return self.checkpoint.recipe()

    @property
    def samples(self) -> dict[int, Picture]:
        """The pictures of samples that training saved, by step."""
        return {step: Picture(path.read_bytes()) for step, path in self._read().grids.items()}

    def sample(self, count: int = 25, *, seed: int | None = None, **options: Any) -> Tensor:
        """Draw `(count, *sample_shape)` float32 samples on the CPU; images in [0, 1].

        Args:
            count: how many.
            seed: which; None for the run's own seed, as in its sample grids.
            **options: `truncation=0.5`, `labels=...` and what else `SampleSource.sample` takes.

        Raises:
            InputError: such samples cannot be made.
        """
        return self.source.sample(count, seed=self.checkpoint.manifest.seed if seed is None else seed, **options)

    def losses(self) -> dict[str, list[float | None]]:
        """Return the lines of `metrics.jsonl` as columns, the first `"step"`: `pandas.DataFrame(run.losses())`."""
        return _columns(self._read().curves.values)

    def metrics(self) -> dict[str, list[float | None]]:
        """Return the evaluations as columns, the first `"step"`; a metric that is not one number is left out."""
        return _columns(_metric_points(self._read()))

    def plot(self) -> Picture:
        """Draw the losses over the steps, and each metric that was evaluated at several steps."""
        from matplotlib.figure import Figure

        run = self._read()
        panels: dict[str, dict[str, Points]] = {}
        for name, points in run.curves.values.items():
            panels.setdefault(name.partition("/")[0], {})[name.partition("/")[2]] = points
        panels |= {metric_name(name): {"": points} for name, points in _metric_points(run).items() if len(points) > 1}
        columns = min(3, len(panels)) or 1
        rows = -(-len(panels) // columns) or 1
        figure = Figure(figsize=(4.2 * columns, 2.8 * rows), dpi=100, layout="constrained")
        for place, (title, lines) in enumerate(panels.items(), 1):
            axes = figure.add_subplot(rows, columns, place)
            for label, points in lines.items():
                axes.plot(
                    *zip(*points, strict=True), label=label, linewidth=1.5, marker="." if len(points) < 20 else ""
                )
            axes.set_title(title, fontsize=10)
            axes.set_xlabel("step", fontsize=9)
            axes.tick_params(labelsize=8)
            axes.grid(alpha=0.3)
            if any(lines):
                axes.legend(fontsize=8)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
        return Picture(buffer.getvalue())

    def _repr_html_(self) -> str:
        run = self._read()
        rows = [("", self.directory.name), *((name, text) for name, text in run.headline.items() if text)]
        newest = run.evaluations[-1].scores if run.evaluations else {}
        rows += [
            (metric_name(name), number_text(score.value)) for name, score in newest.items() if score.value is not None
        ]
        return html_table(rows)

    def _read(self) -> Run:
        return read_runs([self.directory])[0]


def _metric_points(run: Run) -> dict[str, Points]:
    """Return the steps and values of each metric that is one number."""
    found: dict[str, Points] = {}
    for evaluation in run.evaluations:
        for name, score in evaluation.scores.items():
            if not score.values:
                found[name] = (*found.get(name, ()), (evaluation.step, score.value))
    return found


def _columns(values: Mapping[str, Points]) -> dict[str, list[float | None]]:
    steps = sorted({step for points in values.values() for step, _ in points})
    found = {name: dict(points) for name, points in values.items()}
    return {"step": [*steps], **{name: [points.get(step) for step in steps] for name, points in found.items()}}


def open_run(
    path: str | os.PathLike[str], *, step: int | None = None, registry: Registry | None = None, device: str = "auto"
) -> OpenedRun:
    """Open a run directory, while it trains too.

    Args:
        path: the run directory.
        step: of which checkpoint; by default the newest undamaged one.
        registry: what the plugins offer; by default what `discover` finds.
        device: where networks are: `"auto"`, `"cpu"`, `"cuda"`.

    Raises:
        RunError: it is not a run directory, or has no such checkpoint.
    """
    directory = Path(path)
    read_runs([directory])
    checkpoint = open_checkpoint(directory if step is None else checkpoint_at(directory, step))
    return OpenedRun(directory, checkpoint, registry or discover(), device)


def run_recipe(
    recipe: Recipe | str | os.PathLike[str],
    overrides: Iterable[str] = (),
    *,
    out: str | Path = "runs",
    registry: Registry | None = None,
) -> OpenedRun:
    """Train a recipe and open the run, as `ganfw run` does.

    Interrupting the kernel stops training after a checkpoint; `ganfw resume` continues.

    Args:
        recipe: a recipe, the path of one, or the name of a registered one.
        overrides: changes, as after `--set`: `["run.seed=1"]`.
        out: the folder of runs; the run directory is `out/<name>-<n>`.
        registry: what the plugins offer; by default what `discover` finds.

    Raises:
        RecipeError: the recipe cannot be read, or is not valid.
        GanfwError: any other error of `assemble` and `train`.
    """
    registry = registry or discover()
    loaded = recipe if isinstance(recipe, Recipe) else Recipe.load(recipe, registry)
    experiment = assemble(resolve(loaded.with_overrides(overrides), registry))
    directory = create_run_directory(out, experiment)
    training = Training(experiment, directory)
    with stop_on_signals(training):
        training.run()
    return open_run(directory, registry=registry, device=experiment.settings.device)
