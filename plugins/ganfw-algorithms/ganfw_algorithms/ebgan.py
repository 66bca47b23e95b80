"""EBGAN: a discriminator that is an autoencoder, a loss with a margin, and a term that pulls fakes away."""

import math
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn
from torch.nn.functional import normalize, relu

from ganfw import InputError, UpdateContext
from ganfw_algorithms.perceptrons import HiddenDim, layers_down


class MLPAutoencoder(nn.Module):
    """A discriminator that reconstructs samples: the better it can, the more real a sample is.

    The energy of a sample is the mean over its numbers of the squared or absolute difference from its reconstruction.
    The logit is minus the energy, so it is never above 0. Blocks `pixels -> 4h -> 2h`, Linear to the code, blocks
    `code -> 2h -> 4h`, and Linear to the reconstruction; a block is Linear and LeakyReLU(0.2).

    Source: Zhao, Mathieu and LeCun, "Energy-based Generative Adversarial Network", 2017.
    """

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        /,
        *,
        hidden_dim: HiddenDim = 64,
        code_dim: Annotated[int, Ge(1), "length of the code between encoder and decoder"] = 32,
        error: Annotated[Literal["squared", "absolute"], "differences that the energy is the mean of"] = "squared",
    ) -> None:
        super().__init__()
        h, size = hidden_dim, math.prod(sample_shape)
        self.error = error
        self.encoder = nn.Sequential(layers_down([size, 4 * h, 2 * h]), nn.Linear(2 * h, code_dim))
        self.decoder = nn.Sequential(layers_down([code_dim, 2 * h, 4 * h]), nn.Linear(4 * h, size))

    def forward(self, samples: Tensor) -> dict[str, Tensor]:
        """Return `logits`, `(n, 1)`, and `codes`, `(n, code_dim)`, for `(n, *sample_shape)` float32."""
        codes = self.encoder(samples.flatten(1))
        difference = (self.decoder(codes) - samples.flatten(1)).float()
        errors = difference.square() if self.error == "squared" else difference.abs()
        return {"logits": -errors.mean(1, keepdim=True), "codes": codes}


class EnergyMargin:
    """The energy of real samples is to be low, that of fakes at least the margin; the energy is minus the logit.

        discriminator: E[energy(x)] + E[max(0, margin - energy(G(z)))]
        generator:     E[energy(G(z))]

    Source: Zhao, Mathieu and LeCun, "Energy-based Generative Adversarial Network", 2017.
    """

    def __init__(
        self, *, margin: Annotated[float, Gt(0), "energy above which fakes do not matter; depends on the data"] = 1.0
    ) -> None:
        self.margin = margin

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return the mean energy of real samples, and by how much that of fakes falls short of the margin."""
        return relu(self.margin + fake_logits).mean() - real_logits.mean()

    def generator(self, fake_logits: Tensor) -> Tensor:
        """Return the mean energy of fakes."""
        return -fake_logits.mean()


class PullingAway:
    """The pulling-away term: codes of different fakes are to be orthogonal, so that the generator makes many.

    The term is the mean, over all pairs of different fakes, of the squared cosine of the angle between their codes.
    With a `group`, only rows in the same group of this many neighbours are pairs. Then the term does not depend on the
    number of processes, as long as no group is divided between two.

    Source: Zhao, Mathieu and LeCun, "Energy-based Generative Adversarial Network", 2017, where pairs are of the whole
    batch.
    """

    def __init__(
        self,
        *,
        weight: Annotated[float, Ge(0), "weight of the term"] = 0.1,
        group: Annotated[int, Ge(0), "neighbouring rows that are compared; 0 for the whole batch"] = 0,
    ) -> None:
        self.weight, self.group = weight, group

    def generator(self, context: UpdateContext) -> Tensor:
        """Return the weighted term, a scalar; 0 where there is no pair.

        Raises:
            InputError: the discriminator gives no codes.
        """
        if "codes" not in context.fake_outputs:
            raise InputError("pulling_away needs a discriminator that gives codes, such as 'mlp_autoencoder'")
        codes = normalize(context.fake_outputs["codes"].float().flatten(1), dim=1)
        group = torch.arange(len(codes), device=codes.device) // (self.group or len(codes))
        pairs = (group[:, None] == group[None]).float().tril(-1)
        return self.weight * ((codes @ codes.T).square() * pairs).sum() / pairs.sum().clamp(min=1)
