"""Top-k training: the generator learns only from the fakes that the discriminator likes best."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from ganfw import Augmentation, Batch, Loss, Noise, Objective, Regularizer, RowRandom, Update


class TopK:
    """The classic step, in which the generator gets no gradient from the fakes with the lowest logits.

    The loss of the generator is the mean over the k fakes with the highest logits, k = share · batch. The share is 1
    at the beginning, is multiplied by `decay` every `every_steps` steps, and stays at `least`. It is logged as
    `top_k/share`. What is logged as the loss is the mean over all fakes. Penalties see all fakes, too.

    The k fakes are chosen among the rows that a process sees at once. Several processes, and the parts of
    `run.accumulate`, choose each among their own.

    Source: Sinha et al., "Top-k Training of GANs: Improving GAN Performance by Throwing Away Bad Samples", 2020.
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
        decay: Annotated[float, Gt(0), Le(1), "what the share of fakes is multiplied by"] = 0.99,
        every_steps: Annotated[int, Ge(1), "steps between two such changes; those of an epoch in the paper"] = 500,
        least: Annotated[float, Gt(0), Le(1), "the smallest share"] = 0.5,
        discriminator_steps: Annotated[int, Ge(1), "discriminator updates for each batch"] = 1,
        generator_steps: Annotated[int, Ge(1), "generator updates for each batch"] = 1,
    ) -> None:
        self.noise = noise
        self.decay, self.every_steps, self.least = decay, every_steps, least
        self.discriminator_steps, self.generator_steps = discriminator_steps, generator_steps
        self.loss = _LossOfTheBest(loss)
        self.objective = Objective(generator, discriminator, self.loss, regularizers, augmentations, networks)

    def updates(self) -> Sequence[Update]:
        """Return the discriminator's update, then the generator's."""
        discriminator = self.objective.update("discriminator", self.noise, times=self.discriminator_steps)
        return [
            discriminator,
            Update("generator", self.of_generator, draw=self._draw_for_generator, times=self.generator_steps),
        ]

    def share(self, step: int) -> float:
        """Return the share of the fakes that the generator learns from in a step."""
        return max(self.decay ** (step // self.every_steps), self.least)

    def of_generator(
        self, batch: Batch, random: RowRandom, due: tuple[str, ...], step: Tensor, share: Tensor, z: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss, and the terms of penalties; `share` is `()` float32."""
        self.loss.share = share
        loss, seen = self.objective.of_generator(batch, random, due, step, z)
        return loss, {**seen, "top_k/share": share}

    def _draw_for_generator(self, batch: Batch, random: torch.Generator) -> tuple[Any, ...]:
        share = torch.full((), self.share(batch.step), device=batch.samples.device)
        return *self.objective.due("generator", batch), share, self.noise(len(batch), random)


class _LossOfTheBest:
    """A loss whose generator gets a gradient only from a share of the fakes, those with the highest logits."""

    def __init__(self, loss: Loss) -> None:
        self.discriminator = loss.discriminator
        self.share = torch.ones(())
        self._generator = loss.generator
        is_relativistic = "real_logits" in inspect.signature(loss.generator).parameters
        self.generator = self._beside_reals if is_relativistic else self._of_fakes

    def _of_fakes(self, fake_logits: Tensor) -> Tensor:
        chosen, kept = self._chosen(fake_logits)
        return _scaled(self._generator(chosen), kept)

    def _beside_reals(self, fake_logits: Tensor, real_logits: Tensor) -> Tensor:
        chosen, kept = self._chosen(fake_logits)
        return _scaled(self._generator(chosen, real_logits), kept)

    def _chosen(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits, without gradient where they are not among the highest, and the share that has one.

        A row of several logits, of patches, counts by their mean. k is a tensor, so that a compiled loss follows it.
        """
        kept = (self.share * len(logits)).round().clamp(min=1)
        ranks = logits.detach().flatten(1).mean(1).argsort(descending=True, stable=True).argsort()
        is_kept = (ranks < kept).reshape(-1, *[1] * (logits.ndim - 1))
        return torch.where(is_kept, logits, logits.detach()), kept / len(logits)


def _scaled(loss: Tensor, share: Tensor) -> Tensor:
    """Return a loss, the mean over all rows, with the gradient of the mean over the share of them that has one."""
    return loss.detach() + (loss - loss.detach()) / share
