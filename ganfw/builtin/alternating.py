"""The GAN update: the discriminator, then the generator."""

from typing import Annotated, Any

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.optim import Optimizer

from ganfw import Batch, InputError, Loss, Noise, treats_rows_alone


class Alternating:
    """For each batch, updates the discriminator, then the generator, each a given number of times.

    Source: Goodfellow et al., "Generative Adversarial Nets", 2014, algorithm 1; but all discriminator updates of a
    step see the same real batch, with fresh noise each.

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
        self.loss = loss
        self.noise = noise
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        self.discriminator_steps = discriminator_steps
        self.generator_steps = generator_steps
        self.reuse_fakes = reuse_fakes
        self._one_pass: bool | None = None  # not known before the first batch

    def __call__(self, batch: Batch, random: torch.Generator) -> dict[str, Tensor]:
        """Update both networks; return the mean loss of each over its updates, scalars on the device."""
        real = batch.samples
        if self.reuse_fakes:
            fake = self._generate(len(real), random)
            discriminator_losses = [self._update_discriminator(real, fake.detach())]
            generator_losses = [self._update_generator(fake)]
        else:
            discriminator_losses = []
            for _ in range(self.discriminator_steps):
                with torch.no_grad():
                    fake = self._generate(len(real), random)
                discriminator_losses.append(self._update_discriminator(real, fake))
            generator_losses = [
                self._update_generator(self._generate(len(real), random)) for _ in range(self.generator_steps)
            ]
        return {
            "loss/discriminator": torch.stack(discriminator_losses).mean(),
            "loss/generator": torch.stack(generator_losses).mean(),
        }

    def state_dict(self) -> dict[str, Any]:
        """Return what was found out about the discriminator."""
        return {"one_pass": self._one_pass}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self._one_pass = state["one_pass"]

    def _generate(self, count: int, random: torch.Generator) -> Tensor:
        fake: Tensor = self.generator(self.noise(count, random))
        return fake

    def _update_discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        loss = self.loss.discriminator(*self._judge(real, fake))
        self.discriminator_optimizer.zero_grad()
        loss.backward()
        self.discriminator_optimizer.step()
        return loss.detach()

    def _judge(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of both, from one pass where that gives the same."""
        if self._one_pass is None:
            self._one_pass = treats_rows_alone(self.discriminator, real)
        if not self._one_pass:
            return self.discriminator(real), self.discriminator(fake)
        real_logits, fake_logits = self.discriminator(torch.cat([real, fake])).split(len(real))
        return real_logits, fake_logits

    def _update_generator(self, fake: Tensor) -> Tensor:
        weights = [weight for weight in self.discriminator.parameters() if weight.requires_grad]
        for weight in weights:  # gradients pass through the discriminator; its own are not computed
            weight.requires_grad_(False)
        loss = self.loss.generator(self.discriminator(fake))
        self.generator_optimizer.zero_grad()
        loss.backward()
        self.generator_optimizer.step()
        for weight in weights:
            weight.requires_grad_(True)
        return loss.detach()
