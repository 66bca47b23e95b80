"""Unrolled GANs: the generator's loss is that of a discriminator which has taken some further steps."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn
from torch.func import functional_call

from ganfw import Batch, Loss, Noise, RowRandom, Update, call_network, outputs_of

Weights = Mapping[str, Tensor]


class Unrolled:
    """The generator meets the discriminator that the current one would become by `unrolled_steps` steps.

    With f what the discriminator minimises, D its weights and G those of the generator,

        D_0 = D,  D_{i+1} = D_i - unrolled_lr · df(G, D_i)/dD_i
        discriminator: f(G, D_0)
        generator:     -f(G, D_k)

    The gradient of the generator goes through the k steps, second derivatives included, so it sees how the
    discriminator would answer. D itself moves by its optimizer only. All k steps have the batch and the noise of the
    generator's update. With `unrolled_steps = 0` this is the plain pair, in which the generator maximises what the
    discriminator minimises, as with the loss `minimax`.

    In several processes, and in the parts of `run.accumulate`, each unrolls on its own rows.

    Source: Metz, Poole, Pfau and Sohl-Dickstein, "Unrolled Generative Adversarial Networks", 2017, section 2. The
    authors unroll Adam. A step does not have the state of an optimizer, so these are steps of gradient descent.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: Loss,
        noise: Noise,
        /,
        *,
        unrolled_steps: Annotated[int, Ge(0), "further steps of the discriminator; 0 for a plain pair"] = 5,
        unrolled_lr: Annotated[float, Gt(0), "learning rate of these steps"] = 0.1,
    ) -> None:
        self.generator, self.loss, self.noise = generator, loss, noise
        self.discriminator = _Discriminator(discriminator)
        self.unrolled_steps, self.unrolled_lr = unrolled_steps, unrolled_lr

    def updates(self) -> Sequence[Update]:
        """Return the discriminator's update, then the generator's."""
        return [
            Update("discriminator", self.discriminator_loss, draw=self.draw),
            Update("generator", self.generator_loss, draw=self.draw),
        ]

    def draw(self, batch: Batch, random: torch.Generator) -> tuple[Tensor]:
        """Return noise, `(batch, z_dim)`."""
        return (self.noise(len(batch), random),)

    def discriminator_loss(self, batch: Batch, random: RowRandom, z: Tensor) -> Tensor:
        """Return what the discriminator minimises."""
        with torch.no_grad():
            fake = self.generate(batch, z)
        return self.loss_with(dict(self.discriminator.named_parameters()), batch, fake)

    def generator_loss(self, batch: Batch, random: RowRandom, z: Tensor) -> Tensor:
        """Return what the generator minimises: minus the loss of the discriminator after its further steps."""
        fake = self.generate(batch, z)
        named = self.discriminator.named_parameters()
        weights: dict[str, Tensor] = {name: weight for name, weight in named if weight.requires_grad}
        for _ in range(self.unrolled_steps):
            loss = self.loss_with(weights, batch, fake)
            slopes = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
            moves = zip(weights.items(), slopes, strict=True)
            weights = {name: weight - self.unrolled_lr * slope for (name, weight), slope in moves}
        return -self.loss_with(weights, batch, fake)

    def generate(self, batch: Batch, z: Tensor) -> Tensor:
        """Return fakes `(batch, *sample_shape)` of `(batch, z_dim)` noise, and of labels if the generator has them."""
        fake: Tensor = call_network(self.generator, z, labels=batch.labels, **batch.more)
        return fake

    def loss_with(self, weights: Weights, batch: Batch, fake: Tensor) -> Tensor:
        """Return the loss of a discriminator with these weights, by name, a scalar."""
        real, fakes = (
            functional_call(self.discriminator, dict(weights), (each, batch)) for each in (batch.samples, fake)
        )
        return self.loss.discriminator(real, fakes)


class _Discriminator(nn.Module):
    """A discriminator that is given the labels if it asks for them, and gives logits."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, samples: Tensor, batch: Batch) -> Tensor:
        return outputs_of(call_network(self.network, samples, labels=batch.labels, **batch.more))["logits"]
