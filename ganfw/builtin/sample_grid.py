"""Pictures of what the generator makes."""

import sys
from pathlib import Path
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor

from ganfw import (
    Callback,
    InputError,
    Training,
    TrainingError,
    image_grid,
    terminal_columns,
    terminal_preview,
    write_png,
)


class SampleGrid(Callback):
    """Saves a grid of samples of one fixed noise every so many steps and at the end, and one of real images once.

    The noise is that of `ganfw.sample` with the run's seed: the last picture is what `ganfw sample` shows.
    """

    needs_directory = True

    def __init__(
        self,
        seed: int,
        /,
        *,
        every_steps: Annotated[int, Ge(1), "steps between two grids"] = 500,
        count: Annotated[int, Ge(1), "images in a grid"] = 25,
        columns: Annotated[int, Ge(1), "images in a row"] = 5,
        truncation: Annotated[Annotated[float, Ge(0)] | None, "truncation of the noise"] = None,
        preview: Annotated[bool, "show the first row on a terminal"] = True,
    ) -> None:
        self.seed = seed
        self.every_steps = every_steps
        self.count = count
        self.columns = columns
        self.truncation = truncation
        self.preview = preview

    def on_start(self, training: Training) -> None:
        """Save the real images.

        Raises:
            InputError: the data is not of images with 1 or 3 channels.
        """
        shape = training.experiment.batches.sample_shape
        if len(shape) != 3 or shape[0] not in (1, 3):
            raise InputError(
                f"callback 'sample_grid' draws images of 1 or 3 channels, and samples of shape {shape} are none: "
                "use = 'sample_scatter' draws points in the plane"
            )
        path = training.require_directory("sample_grid") / "samples" / "real.png"
        if not path.exists():
            real = training.experiment.batches.first(self.count).samples.cpu()
            write_png(path, image_grid(real, self.columns))

    def on_step(self, training: Training) -> None:
        """Save a grid if it is time."""
        if training.step % self.every_steps == 0:
            self._save(training)

    def on_end(self, training: Training) -> None:
        """Save the last grid."""
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
            raise TrainingError(f"samples are not finite at step {training.step}; no grid is saved")
        path = training.require_directory("sample_grid") / "samples" / f"step-{training.step:06d}.png"
        write_png(path, image_grid(fake, self.columns))
        self._show(training, path, fake)

    def _show(self, training: Training, path: Path, fake: Tensor) -> None:
        width = terminal_columns(sys.stderr) if self.preview else None
        picture = terminal_preview(fake[: self.columns], columns=width) if width else ""
        if picture:
            training.say(picture)
        training.say(f"  samples {path}")
