"""BEGAN: an autoencoder as the discriminator, held in equilibrium with the generator."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from ganfw import Batch, Noise, RowRandom, Update, call_network, outputs_of


class Equilibrium:
    """The weight k of fakes, which moves so that their energy becomes gamma times that of real samples.

        k:       k + rate (gamma L(x) - L(G(z))), kept in [0, 1], from 0 on
        measure: L(x) + |gamma L(x) - L(G(z))|, which falls while training converges

    L are the mean energies of a step, whatever parts of the batch they were computed in.

    Source: Berthelot, Schumm and Metz, "BEGAN: Boundary Equilibrium Generative Adversarial Networks", 2017.
    """

    def __init__(self, gamma: float, rate: float, device: torch.device) -> None:
        self.gamma, self.rate = gamma, rate
        self.k = torch.zeros((), device=device)
        self._real: list[Tensor] = []
        self._fake: list[Tensor] = []

    def begin(self) -> None:
        """Forget the energies of the step before."""
        self._real, self._fake = [], []

    def see_real(self, seen: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Take the `energies` of real samples, `(n,)`; return k."""
        self._real.append(seen["energies"].detach())
        return {"began/k": self.k}

    def see_fake(self, seen: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Take the `energies` of fakes, `(n,)`; return their ratio to those of real samples, and the measure."""
        self._fake.append(seen["energies"].detach())
        real, fake = torch.cat(self._real).mean(), self._fake[-1].mean()
        return {"began/ratio": fake / real, "began/measure": real + (self.gamma * real - fake).abs()}

    def move(self) -> None:
        """Move k by what the step has seen."""
        real, fake = (torch.cat(energies).mean() for energies in (self._real, self._fake))
        self.k = (self.k + self.rate * (self.gamma * real - fake)).clamp(0, 1)


class BEGAN:
    """A generator against an autoencoder, in whose loss the weight of fakes keeps the two in balance.

    The energy L of a sample is the error of its reconstruction, which is minus the logit of a discriminator such as
    `mlp_autoencoder`. Each batch has two updates, and then k moves, as `Equilibrium` says:

        discriminator: L(x) - k L(G(z))
        generator:     L(G(z'))

    `began/k`, `began/ratio` and `began/measure` are logged. With `run.accumulate` the last two are means of those of
    the parts of a batch. k is of the rows of one process, so the run must be trained in one.

    Source: Berthelot, Schumm and Metz, "BEGAN: Boundary Equilibrium Generative Adversarial Networks", 2017, where the
    errors are absolute differences.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        noise: Noise,
        device: torch.device,
        /,
        *,
        gamma: Annotated[float, Gt(0), Le(1), "energy of fakes in shares of that of real samples"] = 0.5,
        k_rate: Annotated[float, Ge(0), "by how much k moves for each unit of energy"] = 0.001,
    ) -> None:
        self.generator, self.discriminator, self.noise = generator, discriminator, noise
        self.equilibrium = Equilibrium(gamma, k_rate, device)

    def updates(self) -> Sequence[Update]:
        """Return the update of the autoencoder, then the generator's, after which k moves."""
        balance = self.equilibrium
        return [
            Update("discriminator", self.discriminator_loss, draw=self.draw_with_k, observe=balance.see_real),
            Update("generator", self.generator_loss, draw=self.draw, observe=balance.see_fake, after=balance.move),
        ]

    def draw(self, batch: Batch, random: torch.Generator) -> tuple[Tensor]:
        """Return noise, `(batch, z_dim)`."""
        return (self.noise(len(batch), random),)

    def draw_with_k(self, batch: Batch, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return noise, `(batch, z_dim)`, and k, `()`; a step begins."""
        self.equilibrium.begin()
        return *self.draw(batch, random), self.equilibrium.k

    def energies(self, samples: Tensor) -> Tensor:
        """Return the energy of each sample, `(n,)`, for `(n, *sample_shape)`."""
        return -outputs_of(call_network(self.discriminator, samples))["logits"].float().flatten(1).mean(1)

    def discriminator_loss(
        self, batch: Batch, random: RowRandom, z: Tensor, k: Tensor
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return what the autoencoder minimises, and the energies of real samples."""
        with torch.no_grad():
            fake = self.generator(z)
        real = self.energies(batch.samples)
        return real.mean() - k * self.energies(fake).mean(), {"energies": real}

    def generator_loss(self, batch: Batch, random: RowRandom, z: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return what the generator minimises, and the energies of fakes."""
        energies = self.energies(self.generator(z))
        return energies.mean(), {"energies": energies}

    def state_dict(self) -> dict[str, Any]:
        """Return k."""
        return {"k": self.equilibrium.k}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self.equilibrium.k = state["k"].to(self.equilibrium.k.device, copy=True)
