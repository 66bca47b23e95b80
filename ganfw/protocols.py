"""What the kinds of parts must do. A part needs to inherit nothing: it fits by what it has.

Generators and discriminators are `torch.nn.Module`s, optimizers `torch.optim.Optimizer`s. A network whose `forward` has
a parameter `labels` is conditional on the class: it is given `(n,)` int64 labels with every batch. A part with state of
its own has `state_dict()` and `load_state_dict(state)`, and is saved and resumed with the run.
"""

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import torch
from attrs import frozen
from torch import Tensor, nn

from ganfw.data import Batch, RowRandom


class Noise(Protocol):
    """Draws the generator's input."""

    @property
    def z_dim(self) -> int:
        """Length of one noise vector."""
        ...

    @property
    def device(self) -> torch.device:
        """Where the noise is created."""
        ...

    def __call__(self, count: int, random: torch.Generator) -> Tensor:
        """Return `(count, z_dim)` float32 on the device, drawn from `random`, which lives there too."""
        ...


@runtime_checkable
class TruncatableNoise(Noise, Protocol):
    """Noise that knows the truncation trick."""

    def truncated(self, threshold: float) -> Noise:
        """Return a sampler of this distribution conditioned on every coordinate being in [-threshold, threshold]."""
        ...


class Loss(Protocol):
    """Computes numbers from logits. It samples nothing, steps nothing and holds no network."""

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return what the discriminator minimises, a scalar; logits are `(batch, 1)`."""
        ...

    @property
    def generator(self) -> Callable[..., Tensor]:
        """A method that returns what the generator minimises, a scalar, from `fake_logits`, `(batch, 1)`.

        A relativistic loss has `real_logits`, `(batch, 1)` without gradient, as a second parameter.
        """
        ...


@frozen(eq=False, kw_only=True)
class UpdateContext:
    """What the update of one network has seen, for regularizers.

    Attributes:
        real: `(batch, *sample_shape)` float32, the real samples as the discriminator saw them, augmented.
        fake: `(batch, *sample_shape)` float32, the fakes as it saw them.
        real_logits: `(batch, 1)`; None in the generator's update, unless its loss is relativistic.
        fake_logits: `(batch, 1)`.
        labels: `(batch,)` int64, or None where the data has none.
        discriminate: the discriminator as a function of samples alone, `(n, *sample_shape)` to `(n, 1)`, n as in the batch;
            it is given the batch's labels if it is conditional.
        generator: the generator.
        discriminator: the discriminator.
        random: random numbers for the rows of the batch.
    """

    real: Tensor
    fake: Tensor
    real_logits: Tensor | None
    fake_logits: Tensor
    labels: Tensor | None
    discriminate: Callable[[Tensor], Tensor]
    generator: nn.Module
    discriminator: nn.Module
    random: RowRandom


class Regularizer(Protocol):
    """Adds a term to the loss of one network or both, or limits weights; it has what it needs of these, and no more.

    - `discriminator(context) -> Tensor`: a scalar to add to the discriminator's loss, weight included.
    - `generator(context) -> Tensor`: a scalar to add to the generator's loss.
    - `constrain(discriminator) -> None`: changes the discriminator's weights in place, after each of its updates.
    - `every_steps: int`: its terms are added in the first step and then in every so many, multiplied by that number:
      lazy regularization (Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020, appendix B).
      1 where there is none.
    """


class Augmentation(Protocol):
    """Changes samples before the discriminator sees them, real ones and fakes alike, so that gradients pass through.

    An adaptive one also has `observe(real_logits: Tensor) -> Mapping[str, Tensor] | None`, told the `(batch, 1)` logits
    of real samples, without gradient, after each of the discriminator's passes. It does not wait for the device. What
    it returns, detached scalars on the device by name, new tensors each time and the same names in each pass, stands in
    the metrics beside the losses: `ada/p`.
    """

    def __call__(self, samples: Tensor, draws: RowRandom) -> Tensor:
        """Return `(batch, *sample_shape)` float32 from such samples, different for each row."""
        ...


class Schedule(Protocol):
    """Moves a learning rate along the way. It has no state: the rate is a function of the step."""

    def __call__(self, step: int, total_steps: int) -> float:
        """Return the factor of the optimizer's own learning rate in step `step`, 0 <= step < total_steps."""
        ...


class Averaging(Protocol):
    """Keeps a mean of the generator's weights, which samples are then drawn from."""

    @property
    def network(self) -> nn.Module:
        """A generator with the mean weights and buffers, in evaluation mode, on the generator's device."""
        ...

    def update(self) -> None:
        """Take in the generator's weights; called after each of its updates. It does not wait for the device."""
        ...


class Step(Protocol):
    """Does with one batch what the algorithm does: updates the networks."""

    def __call__(self, batch: Batch, random: torch.Generator) -> Mapping[str, Tensor]:
        """Update the networks.

        Args:
            batch: real samples.
            random: the generator, on the device, that all noise of the step is drawn from.

        Returns:
            Statistics to average over a window, each a detached scalar on the device, named like
            `"loss/generator"`. The device is not waited for.
        """
        ...
