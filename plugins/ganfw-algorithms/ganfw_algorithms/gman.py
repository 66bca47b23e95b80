"""GMAN: several discriminators, and a generator that learns most from those it deceives least."""

import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Annotated

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn
from torch.nn.functional import softplus

from ganfw import Batch, InputError, Loss, Noise, RowRandom, Update, call_network, outputs_of


class Sharpness(nn.Module):
    """One number above 0 that is learnt, λ of `gman`: softplus of its weight."""

    def __init__(self, *, initial: Annotated[float, Gt(0), "λ at the beginning"] = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(initial + math.log(-math.expm1(-initial))))

    def forward(self, losses: Tensor) -> Tensor:
        """Return λ, `()`, for any losses."""
        return softplus(self.weight)


class GMAN:
    """A generator against all other networks of the recipe, which are discriminators.

    With L_i the loss of the generator against discriminator i,

        discriminators: Σ_i of their own losses
        generator:      Σ_i w_i L_i,  w_i = exp(λ L_i) / Σ_j exp(λ L_j)

    With λ = 0 this is the mean of the losses, with a large λ the largest of them, that of the strongest discriminator.
    All discriminators have one optimizer, and see the same samples.

    With `[networks.sharpness]`, in the generator's optimizer, λ is learnt: the generator minimises
    Σ_i w_i L_i - c λ, with c = `reward`. It can then choose a weaker opponent, for which it gives up the reward. λ is
    logged as `gman/sharpness`.

    Several processes, and the parts of `run.accumulate`, weight each by the losses of their own rows.

    Source: Durugkar, Gemp and Mahadevan, "Generative Multi-Adversarial Networks", 2017, the arithmetic mean with
    softmax weights. There w_i depends on the whole value of the game, here only on the generator's loss.

    Raises:
        InputError: there is no discriminator, or the loss is relativistic.
    """

    def __init__(
        self,
        generator: nn.Module,
        networks: Mapping[str, nn.Module],
        loss: Loss,
        noise: Noise,
        sharpness: nn.Module | None = None,
        /,
        *,
        fixed_sharpness: Annotated[float, Ge(0), "λ without [networks.sharpness]; 0 for the mean"] = 1.0,
        reward: Annotated[float, Ge(0), "what λ is worth to the generator where it is learnt"] = 0.001,
    ) -> None:
        self.generator, self.loss, self.noise = generator, loss, noise
        self.sharpness, self.fixed_sharpness, self.reward = sharpness, fixed_sharpness, reward
        self.discriminators = [each for each in networks.values() if each not in (generator, sharpness)]
        if not self.discriminators:
            raise InputError("gman needs at least one discriminator, [discriminator] or [networks.NAME]")
        if "real_logits" in inspect.signature(loss.generator).parameters:
            raise InputError("gman weights losses of fakes; choose a loss that is not relativistic, such as 'minimax'")

    def updates(self) -> Sequence[Update]:
        """Return the update of all discriminators, then the generator's."""
        return [
            Update("discriminator", self.discriminator_loss, draw=self.draw),
            Update("generator", self.generator_loss, draw=self.draw),
        ]

    def draw(self, batch: Batch, random: torch.Generator) -> tuple[Tensor]:
        """Return noise, `(batch, z_dim)`."""
        return (self.noise(len(batch), random),)

    def discriminator_loss(self, batch: Batch, random: RowRandom, z: Tensor) -> Tensor:
        """Return what the discriminators minimise, the sum of their losses."""
        with torch.no_grad():
            fake = call_network(self.generator, z, labels=batch.labels, **batch.more)
        logits = zip(self.logits(batch, batch.samples), self.logits(batch, fake), strict=True)
        return torch.stack([self.loss.discriminator(*both) for both in logits]).sum()

    def generator_loss(self, batch: Batch, random: RowRandom, z: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what the generator minimises, and λ."""
        fake = call_network(self.generator, z, labels=batch.labels, **batch.more)
        losses = torch.stack([self.loss.generator(logits) for logits in self.logits(batch, fake)])
        if self.sharpness is None:
            return (torch.softmax(self.fixed_sharpness * losses, 0) * losses).sum(), {}
        sharpness = self.sharpness(losses)
        loss = (torch.softmax(sharpness * losses, 0) * losses).sum() - self.reward * sharpness
        return loss, {"gman/sharpness": sharpness.detach()}

    def logits(self, batch: Batch, samples: Tensor) -> list[Tensor]:
        """Return the logits of each discriminator, `(batch, 1, ...)` each, for `(batch, *sample_shape)`."""
        given = {"labels": batch.labels, **batch.more}
        return [outputs_of(call_network(each, samples, **given))["logits"] for each in self.discriminators]
