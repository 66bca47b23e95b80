"""Pictures of points in the plane."""

import io
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor

from ganfw import Callback, InputError, Training, TrainingError, write_atomically


class SampleScatter(Callback):
    """Draws samples of one fixed noise over real points every so many steps and at the end, and real ones alone once.

    The noise is that of `ganfw.sample` with the run's seed. The axes are those of the real points, with a margin.
    """

    needs_directory = True

    def __init__(
        self,
        seed: int,
        /,
        *,
        every_steps: Annotated[int, Ge(1), "steps between two pictures"] = 500,
        count: Annotated[int, Ge(1), "points in a picture"] = 2000,
        truncation: Annotated[Annotated[float, Ge(0)] | None, "truncation of the noise"] = None,
    ) -> None:
        self.seed = seed
        self.every_steps = every_steps
        self.count = count
        self.truncation = truncation
        self._real = torch.zeros(0, 2)

    def on_start(self, training: Training) -> None:
        """Draw the real points.

        Raises:
            InputError: the data is not of points in the plane.
        """
        batches = training.experiment.batches
        if batches.sample_shape != (2,):
            raise InputError(
                f"callback 'sample_scatter' draws points in the plane, and samples of shape {batches.sample_shape} "
                "are none: use = 'sample_grid' draws images"
            )
        self._real = batches.first(self.count).samples.cpu()
        path = training.require_directory("sample_scatter") / "samples" / "real.png"
        if not path.exists():
            write_atomically(path, scatter_png(self._real))

    def on_step(self, training: Training) -> None:
        """Draw a picture if it is time."""
        if training.step % self.every_steps == 0:
            self._save(training)

    def on_end(self, training: Training) -> None:
        """Draw the last picture."""
        if training.finished and training.step % self.every_steps != 0:
            self._save(training)

    def _save(self, training: Training) -> None:
        fake = training.experiment.source.sample(
            self.count,
            seed=self.seed,
            truncation=self.truncation,
            inputs=training.experiment.batches.first(self.count),
        )
        if not torch.isfinite(fake).all():
            raise TrainingError(f"samples are not finite at step {training.step}; no picture is saved")
        path = training.require_directory("sample_scatter") / "samples" / f"step-{training.step:06d}.png"
        write_atomically(path, scatter_png(self._real, fake))
        training.say(f"  samples {path}")


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
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
