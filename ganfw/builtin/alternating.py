"""The GAN update: the discriminator, then the generator."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import torch
from annotated_types import Ge
from attrs import evolve
from torch import Tensor, nn

from ganfw import Augmentation, Batch, InputError, Loss, Noise, Objective, Regularizer, Update


class Alternating:
    """For each batch, updates the discriminator, then the generator, each a given number of times.

    Source: Goodfellow et al., "Generative Adversarial Nets", 2014, algorithm 1; but all discriminator updates of a
    step see the same real batch, with fresh noise each. Fakes have the labels of the real batch, where networks are
    conditional.

    With `reuse_fakes` the generator learns from the same fakes as the discriminator. A step then has one pass of the
    generator instead of two. The results are different ones: the two updates of a step depend on each other, and
    batch statistics move once a step. Each network can then have only one update a step.

    Raises:
        InputError: `reuse_fakes` with more than one update of a network.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: Loss,
        noise: Noise,
        regularizers: Mapping[str, Regularizer] | None = None,
        augmentations: Mapping[str, Augmentation] | None = None,
        networks: Mapping[str, nn.Module] | None = None,
        /,
        *,
        discriminator_steps: Annotated[int, Ge(1), "discriminator updates for each batch"] = 1,
        generator_steps: Annotated[int, Ge(1), "generator updates for each batch"] = 1,
        reuse_fakes: Annotated[bool, "the generator learns from the discriminator's fakes; one update of each"] = False,
    ) -> None:
        if reuse_fakes and (discriminator_steps, generator_steps) != (1, 1):
            raise InputError(
                "reuse_fakes needs discriminator_steps = 1 and generator_steps = 1; "
                "set both to 1, or reuse_fakes = false"
            )
        self.noise = noise
        self.discriminator_steps = discriminator_steps
        self.generator_steps = generator_steps
        self.reuse_fakes = reuse_fakes
        self.objective = Objective(generator, discriminator, loss, regularizers, augmentations, networks)
        self._fakes: tuple[Tensor, ...] = ()

    def updates(self) -> Sequence[Update]:
        """Return the discriminator's update, then the generator's."""
        discriminator = self.objective.update("discriminator", self.noise, times=self.discriminator_steps)
        generator = self.objective.update("generator", self.noise, times=self.generator_steps)
        if self.reuse_fakes:
            return [evolve(discriminator, draw=self._draw_fakes), evolve(generator, draw=self._take_fakes)]
        return [discriminator, generator]

    def _draw_fakes(self, batch: Batch, random: torch.Generator) -> tuple[Any, ...]:
        z = self.noise(len(batch), random)
        self._fakes = (z, self.objective.generate(batch, z))
        return *self.objective.due("discriminator", batch), z, self._fakes[1].detach()

    def _take_fakes(self, batch: Batch, random: torch.Generator) -> tuple[Any, ...]:
        fakes, self._fakes = self._fakes, ()
        return *self.objective.due("generator", batch), *fakes
