"""The TensorBoard callback."""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from ganfw import Callback, Training, call_network, each_class_in_turn, evaluation_mode, image_grid, outputs_of


class TensorBoard(Callback):
    """Writes event files to `tensorboard/` in the run directory, each time a window ends.

    Scalars come with each window: its means, by their names, and learning rates. Samples of one fixed noise and
    histograms come with every so many: of all weights and their gradients, and of the discriminator's logits for the
    first real samples and for those of the noise. What is trained is the same as without.

    A step is written once: on a resume, TensorBoard forgets what the run wrote after the checkpoint it continues from.
    A window that the end of a run cuts short is left to `metrics.jsonl`, because a resume would continue it.
    """

    needs_directory = True

    def __init__(
        self,
        seed: int,
        /,
        *,
        grid_every_windows: Annotated[int, Ge(1), "windows between two grids of samples"] = 1,
        histogram_every_windows: Annotated[int, Ge(1), "windows between two histograms of everything"] = 10,
        count: Annotated[int, Ge(1), "samples in a grid"] = 25,
        columns: Annotated[int, Ge(1), "samples in a row of a grid"] = 5,
        logits: Annotated[int, Ge(1), "samples whose logits are in a histogram"] = 512,
    ) -> None:
        self.seed = seed
        self.grid_every_windows = grid_every_windows
        self.histogram_every_windows = histogram_every_windows
        self.count = count
        self.columns = columns
        self.logits = logits
        self._writer: SummaryWriter | None = None

    def on_start(self, training: Training) -> None:
        """Open an event file, after `training.step`; at the very start with the recipe and real samples."""
        folder = training.require_directory("tensorboard") / "tensorboard"
        self._writer = SummaryWriter(str(folder), purge_step=training.step + 1)
        if training.step == 0:
            if training.experiment.resolved is not None:
                recipe = training.experiment.resolved.recipe.to_toml()
                self._writer.add_text("recipe", f"```toml\n{recipe}\n```", 0)
            self._add_grid(training, "real", training.experiment.batches.first(self.count).samples)
            self._writer.flush()

    def on_log(self, training: Training) -> None:
        """Write what belongs to a whole window."""
        if self._writer is None or training.means_are_partial:
            return
        window = training.step // training.experiment.settings.log_every_steps
        self._add_scalars(training)
        if window % self.grid_every_windows == 0:
            self._add_grid(training, "samples", self._samples(training, self.count))
        if window % self.histogram_every_windows == 0:
            self._add_weights(training)
            self._add_logits(training)
        self._writer.flush()  # before a checkpoint of this step, from which a resume continues

    def on_end(self, training: Training) -> None:
        """Close the event file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _add_scalars(self, training: Training) -> None:
        assert self._writer is not None
        for name, mean in training.means.items():
            self._writer.add_scalar(name, mean, training.step)
        for name, optimizer in training.experiment.optimizers.items():
            self._writer.add_scalar(f"learning_rate/{name}", optimizer.param_groups[0]["lr"], training.step)

    def _add_grid(self, training: Training, name: str, images: Tensor) -> None:
        """Write a grid, if the samples are images."""
        assert self._writer is not None
        if images.ndim == 4 and images.shape[1] in (1, 3):
            self._writer.add_image(name, image_grid(images.cpu(), self.columns), training.step)

    def _add_weights(self, training: Training) -> None:
        assert self._writer is not None
        for owner, network in training.experiment.networks.items():
            for name, weight in network.named_parameters():
                self._writer.add_histogram(f"weights/{owner}.{name}", weight.detach(), training.step)
                if weight.grad is not None:
                    self._writer.add_histogram(f"gradients/{owner}.{name}", weight.grad, training.step)

    def _add_logits(self, training: Training) -> None:
        """Write the logits of the discriminator, if there is one of samples, or of samples and classes."""
        assert self._writer is not None
        experiment = training.experiment
        discriminator = experiment.networks.get("discriminator")
        if discriminator is None:
            return
        real, classes = experiment.batches.first(self.logits), experiment.batches.num_classes
        fake = self._samples(training, len(real)).to(experiment.device)
        fake_labels = None if classes is None else each_class_in_turn(classes, len(fake), experiment.device)
        with torch.no_grad(), evaluation_mode(discriminator):
            for name, samples, labels in (("real", real.samples, real.labels), ("fake", fake, fake_labels)):
                logits = outputs_of(call_network(discriminator, samples, labels=labels))["logits"]
                self._writer.add_histogram(f"logits/{name}", logits.float(), training.step)

    def _samples(self, training: Training, count: int) -> Tensor:
        """Return the samples that `ganfw sample` gives with the run's seed."""
        experiment = training.experiment
        return experiment.source.sample(count, seed=self.seed, inputs=experiment.batches.first(count))
