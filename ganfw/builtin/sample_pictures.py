"""Pictures of what the generator makes: grids of images, points in the plane, and series as lines."""

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import torch
from annotated_types import Ge
from torch import Tensor

from ganfw import (
    Callback,
    InputError,
    Picture,
    Training,
    TrainingError,
    image_grid,
    in_notebook,
    terminal_columns,
    terminal_preview,
    write_atomically,
    write_png,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EverySteps = Annotated[int, Ge(1), "steps between two pictures"]
Truncation = Annotated[Annotated[float, Ge(0)] | None, "truncation of the noise"]


class _SamplePictures(Callback):
    """Saves pictures of samples of one fixed noise every few steps and at the end, and one of real ones once."""

    needs_directory = True

    def __init__(self, name: str, seed: int, every_steps: int, count: int, truncation: float | None) -> None:
        self.name = name
        self.seed = seed
        self.every_steps = every_steps
        self.count = count
        self.truncation = truncation
        self._shown: Any = None  # where a notebook shows the newest picture

    def on_start(self, training: Training) -> None:
        """Save the real samples.

        Raises:
            InputError: the data is of another kind than this draws.
        """
        path = training.require_directory(self.name) / "samples" / "real.png"
        if not path.exists():
            self._draw(path, training.experiment.batches.first(self.count).samples.cpu(), None)

    def on_step(self, training: Training) -> None:
        """Save a picture if it is time, and the last one.

        Raises:
            TrainingError: samples are not finite.
        """
        if training.step % self.every_steps and not training.finished:
            return
        real = training.experiment.batches.first(self.count)
        fake = training.experiment.source.sample(self.count, seed=self.seed, truncation=self.truncation, inputs=real)
        if not torch.isfinite(fake).all():
            raise TrainingError(f"samples are not finite at step {training.step}; no picture is saved")
        path = training.require_directory(self.name) / "samples" / f"step-{training.step:06d}.png"
        self._draw(path, real.samples.cpu(), fake)
        if in_notebook():
            self._shown = Picture(path.read_bytes()).display(self._shown)
            return
        if preview := self._preview(fake):
            training.say(preview)
        training.say(f"  samples {path}")

    def _draw(self, path: Path, real: Tensor, fake: Tensor | None) -> None:
        raise NotImplementedError

    def _preview(self, fake: Tensor) -> str:
        """Return what is shown on the terminal above the name of a picture."""
        return ""


class SampleGrid(_SamplePictures):
    """Saves a grid of samples of one fixed noise every few steps and at the end, and one of real images once.

    The noise is that of `ganfw.sample` with the run's seed: the last picture is what `ganfw sample` shows.
    """

    def __init__(
        self,
        seed: int,
        /,
        *,
        every_steps: EverySteps = 500,
        count: Annotated[int, Ge(1), "images in a grid"] = 25,
        columns: Annotated[int, Ge(1), "images in a row"] = 5,
        truncation: Truncation = None,
        preview: Annotated[bool, "show the first row on a terminal"] = True,
    ) -> None:
        super().__init__("sample_grid", seed, every_steps, count, truncation)
        self.columns = columns
        self.preview = preview

    def _draw(self, path: Path, real: Tensor, fake: Tensor | None) -> None:
        shape = tuple(real.shape[1:])
        if len(shape) != 3 or shape[0] not in (1, 3):
            raise InputError(
                f"callback 'sample_grid' draws images of 1 or 3 channels, but the samples have the shape {shape}; "
                "use = 'sample_scatter' draws points in the plane, and 'sample_lines' series"
            )
        write_png(path, image_grid(real if fake is None else fake, self.columns))

    def _preview(self, fake: Tensor) -> str:
        width = terminal_columns(sys.stderr) if self.preview else None
        return terminal_preview(fake[: self.columns], columns=width) if width else ""


class SampleScatter(_SamplePictures):
    """Draws samples of one fixed noise over real points every few steps and at the end, and only real ones once.

    The noise is that of `ganfw.sample` with the run's seed. The axes are those of the real points, with a margin.
    """

    def __init__(
        self,
        seed: int,
        /,
        *,
        every_steps: EverySteps = 500,
        count: Annotated[int, Ge(1), "points in a picture"] = 2000,
        truncation: Truncation = None,
    ) -> None:
        super().__init__("sample_scatter", seed, every_steps, count, truncation)

    def _draw(self, path: Path, real: Tensor, fake: Tensor | None) -> None:
        if (shape := tuple(real.shape[1:])) != (2,):
            raise InputError(
                f"callback 'sample_scatter' draws points in the plane, but the samples have the shape {shape}; "
                "use = 'sample_grid' draws images, and 'sample_lines' series"
            )
        write_atomically(path, scatter_png(real, fake))


class SampleLines(_SamplePictures):
    """Draws series of one fixed noise every few steps and at the end, and real ones once: a line for each.

    The noise is that of `ganfw.sample` with the run's seed. The axes are those of the real series, with a margin.
    """

    def __init__(
        self,
        seed: int,
        /,
        *,
        every_steps: EverySteps = 500,
        count: Annotated[int, Ge(1), "series in a picture"] = 12,
        columns: Annotated[int, Ge(1), "series in a row"] = 4,
        truncation: Truncation = None,
    ) -> None:
        super().__init__("sample_lines", seed, every_steps, count, truncation)
        self.columns = columns

    def _draw(self, path: Path, real: Tensor, fake: Tensor | None) -> None:
        if real.ndim != 2:
            raise InputError(
                f"callback 'sample_lines' draws series, but the samples have the shape {tuple(real.shape[1:])}; "
                "use = 'sample_grid' draws images"
            )
        write_atomically(path, lines_png(real, fake, columns=self.columns))


def lines_png(real: Tensor, fake: Tensor | None = None, *, columns: int = 4) -> bytes:
    """Draw series as lines, each in a panel.

    Args:
        real: `(n, length)` float32; the axes show these with a margin. They are drawn if `fake` is None.
        fake: `(m, length)` float32, or None.
        columns: panels in a row.

    Returns:
        A PNG file; the same for the same series.
    """
    from matplotlib.figure import Figure

    shown, colour = (real, "#808080") if fake is None else (fake, "#1565c0")
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(1.6 * columns, 1.1 * rows), dpi=100, layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flatten()
    low, high = float(real.min()), float(real.max())
    margin = 0.1 * max(high - low, 1e-6)
    for axes, line in zip(panels, shown.numpy(), strict=False):
        axes.plot(line, color=colour, linewidth=1)
        axes.set_ylim(low - margin, high + margin)
        axes.tick_params(labelsize=6)
    for axes in panels[len(shown) :]:
        axes.set_visible(False)
    return _png(figure)


def scatter_png(real: Tensor, fake: Tensor | None = None, *, pixels: int = 480) -> bytes:
    """Draw real points in grey, and fakes in blue over them.

    Args:
        real: `(n, 2)` float32; the axes show these with a margin, and fakes outside are not seen.
        fake: `(m, 2)` float32, or None.
        pixels: width and height of the picture.

    Returns:
        A PNG file; the same for the same points.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(pixels / 100, pixels / 100), dpi=100)
    axes = figure.add_axes((0.08, 0.07, 0.9, 0.9))
    axes.scatter(real[:, 0].numpy(), real[:, 1].numpy(), s=8, color="#b0b0b0", linewidths=0)
    if fake is not None:
        axes.scatter(fake[:, 0].numpy(), fake[:, 1].numpy(), s=4, color="#1565c0", linewidths=0)
    middle = (real.amax(0) + real.amin(0)) / 2
    reach = 0.65 * max(float((real.amax(0) - real.amin(0)).max()), 1e-6)
    axes.set_xlim(float(middle[0]) - reach, float(middle[0]) + reach)
    axes.set_ylim(float(middle[1]) - reach, float(middle[1]) + reach)
    axes.tick_params(labelsize=8)
    return _png(figure)


def _png(figure: "Figure") -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
