"""D2GAN: two discriminators, one that scores real samples high, and one that scores fakes high."""

from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import Gt, Le
from torch import Tensor, nn
from torch.nn.functional import softplus

from ganfw import Batch, Noise, RowRandom, Update, call_network, outputs_of

LINEAR_BELOW = -15.0
"""Below this logit, log(softplus(logit)) is the logit itself, to float32 precision."""


def log_softplus(logits: Tensor) -> Tensor:
    """Return log(softplus(logits)), which stays finite, with its gradient, where softplus rounds to 0."""
    return torch.where(logits < LINEAR_BELOW, logits, softplus(logits.clamp(min=LINEAR_BELOW)).log())


class D2GAN:
    """A generator against two discriminators, of which one prefers real samples and the other prefers fakes.

    A score is softplus(logit), a positive number: D1 of `discriminator`, D2 of `reverse_discriminator`.

        discriminators: -alpha E[log D1(x)] + E[D1(G(z))] + E[D2(x)] - beta E[log D2(G(z))]
        generator:      -E[D1(G(z))] + beta E[log D2(G(z))]

    With optimal discriminators the generator minimises alpha KL(real || fake) + beta KL(fake || real), plus a constant.
    The first divergence punishes a missing mode, the second punishes samples between the modes. Both discriminators
    have one optimizer.

    Source: Nguyen, Le, Vu and Phung, "Dual Discriminator Generative Adversarial Nets", 2017, where alpha and beta are
    at most 1.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        reverse_discriminator: nn.Module,
        noise: Noise,
        /,
        *,
        alpha: Annotated[float, Gt(0), Le(1), "weight of KL(real || fake)"] = 1.0,
        beta: Annotated[float, Gt(0), Le(1), "weight of KL(fake || real)"] = 1.0,
    ) -> None:
        self.generator, self.noise = generator, noise
        self.discriminator, self.reverse_discriminator = discriminator, reverse_discriminator
        self.alpha, self.beta = alpha, beta

    def updates(self) -> Sequence[Update]:
        """Return the update of both discriminators, then the generator's."""
        return [
            Update("discriminator", self.discriminator_loss, draw=self.draw),
            Update("generator", self.generator_loss, draw=self.draw),
        ]

    def draw(self, batch: Batch, random: torch.Generator) -> tuple[Tensor]:
        """Return noise, `(batch, z_dim)`."""
        return (self.noise(len(batch), random),)

    def logits(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of both discriminators, `(n, 1, ...)` each, for `(n, *sample_shape)`."""
        networks = (self.discriminator, self.reverse_discriminator)
        first, second = (outputs_of(call_network(network, samples))["logits"] for network in networks)
        return first, second

    def discriminator_loss(self, batch: Batch, random: RowRandom, z: Tensor) -> Tensor:
        """Return what the two discriminators minimise."""
        with torch.no_grad():
            fake = self.generator(z)
        (real_1, real_2), (fake_1, fake_2) = self.logits(batch.samples), self.logits(fake)
        first = softplus(fake_1).mean() - self.alpha * log_softplus(real_1).mean()
        return first + softplus(real_2).mean() - self.beta * log_softplus(fake_2).mean()

    def generator_loss(self, batch: Batch, random: RowRandom, z: Tensor) -> Tensor:
        """Return what the generator minimises."""
        fake_1, fake_2 = self.logits(self.generator(z))
        return self.beta * log_softplus(fake_2).mean() - softplus(fake_1).mean()
