"""The GAN update: the discriminator, then the generator."""

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.optim import Optimizer

from ganfw import Augmentation, Batch, InputError, Loss, Noise, Objective, Regularizer, call_with_labels, update


class Alternating:
    """For each batch, updates the discriminator, then the generator, each a given number of times.

    Source: Goodfellow et al., "Generative Adversarial Nets", 2014, algorithm 1; but all discriminator updates of a
    step see the same real batch, with fresh noise each. Fakes have the labels of the real batch, where networks are
    conditional.

    With `reuse_fakes` the generator's update is judged on the very samples that the discriminator has just been
    updated on: one generator pass a step instead of two. It is another algorithm, not a faster way to the same
    numbers: the two updates of a step are no longer independent, and batch statistics move once a step.

    Raises:
        InputError: `reuse_fakes` with more than one update of a network.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: Loss,
        noise: Noise,
        generator_optimizer: Optimizer,
        discriminator_optimizer: Optimizer,
        regularizers: Mapping[str, Regularizer] | None = None,
        augmentations: Mapping[str, Augmentation] | None = None,
        /,
        *,
        discriminator_steps: Annotated[int, Ge(1), "discriminator updates for each batch"] = 1,
        generator_steps: Annotated[int, Ge(1), "generator updates for each batch"] = 1,
        reuse_fakes: Annotated[bool, "judge the generator on the discriminator's fakes: another algorithm"] = False,
    ) -> None:
        if reuse_fakes and (discriminator_steps, generator_steps) != (1, 1):
            raise InputError("reuse_fakes goes with discriminator_steps = 1 and generator_steps = 1 only")
        self.generator = generator
        self.discriminator = discriminator
        self.noise = noise
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        self.discriminator_steps = discriminator_steps
        self.generator_steps = generator_steps
        self.reuse_fakes = reuse_fakes
        self.objective = Objective(generator, discriminator, loss, regularizers, augmentations)

    def __call__(self, batch: Batch, random: torch.Generator) -> dict[str, Tensor]:
        """Update both networks; return their mean losses, the terms of regularizers, what augmentations tell."""
        discriminator_losses, generator_losses = [], []
        fake = None
        for _ in range(self.discriminator_steps):
            z = self.noise(len(batch.samples), random)
            if self.reuse_fakes:
                fake = self._generate(batch, z)
            discriminator_losses.append(self._update_discriminator(batch, z, fake, random))
        for _ in range(self.generator_steps):
            if not self.reuse_fakes:
                z = self.noise(len(batch.samples), random)
            generator_losses.append(self._update_generator(batch, z, fake, random))
        return {
            "loss/discriminator": torch.stack(discriminator_losses).mean(),
            "loss/generator": torch.stack(generator_losses).mean(),
            **self.objective.statistics,
        }

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the objective."""
        return self.objective.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self.objective.load_state_dict(state)

    def _update_discriminator(self, batch: Batch, z: Tensor, fake: Tensor | None, random: torch.Generator) -> Tensor:
        self.objective.look_at(batch)
        loss = update(
            self.discriminator_optimizer,
            self._discriminator_loss,
            (batch, z, fake, random),
            compile_blocker=self.objective.compile_blocker("discriminator"),
        )
        self.objective.constrain()
        return loss

    def _update_generator(self, batch: Batch, z: Tensor, fake: Tensor | None, random: torch.Generator) -> Tensor:
        why_not = "the fakes are those of the discriminator's update" if self.reuse_fakes else ""
        return update(
            self.generator_optimizer,
            self._generator_loss,
            (batch, z, fake, random),
            compile_blocker=why_not or self.objective.compile_blocker("generator"),
        )

    def _discriminator_loss(self, batch: Batch, z: Tensor, fake: Tensor | None, random: torch.Generator) -> Tensor:
        with torch.no_grad():
            fake = self._generate(batch, z) if fake is None else fake.detach()
        return self.objective.of_discriminator(batch, fake, random)

    def _generator_loss(self, batch: Batch, z: Tensor, fake: Tensor | None, random: torch.Generator) -> Tensor:
        fake = self._generate(batch, z) if fake is None else fake
        return self.objective.of_generator(batch, fake, random)

    def _generate(self, batch: Batch, z: Tensor) -> Tensor:
        return call_with_labels(self.generator, z, batch.labels)
