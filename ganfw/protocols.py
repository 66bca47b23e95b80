"""What the kinds of parts must do. A part needs to inherit nothing: it fits by what it has.

Generators and discriminators are `torch.nn.Module`s, optimizers `torch.optim.Optimizer`s. A part with state of
its own has `state_dict()` and `load_state_dict(state)`, and is saved and resumed with the run.
"""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ganfw.data import Batch


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

    def generator(self, fake_logits: Tensor) -> Tensor:
        """Return what the generator minimises, a scalar; logits are `(batch, 1)`."""
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
