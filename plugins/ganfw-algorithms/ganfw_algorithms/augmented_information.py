"""InfoGAN with a Q that reads turned, sheared and moved images, and sorts real ones too."""

import math
from typing import Annotated, Any

import torch
from annotated_types import Ge, Le, Lt
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample

from ganfw import InputError, RowRandom, UpdateContext
from ganfw_algorithms.infogan import CodeHead, code_losses, require_codes

INFORMATION_WEIGHT = 0.1
"""lambda of IMSAT: how much the information of images and categories counts beside the changes."""
SHARES_WEIGHT = 4.0
"""mu of IMSAT: how much the entropy of the shares of the categories counts beside that of each image's category."""


class CodeReader(nn.Module):
    """InfoGAN's Q with layers of its own: guesses the codes of an image from its pixels.

    Convolutions of 4 x 4, each halving the sides, with `channels` and twice as many, a linear layer of `hidden_dim`,
    and the heads of `code_head`. LeakyReLU(0.1) after each; BatchNorm before it in all but the first.

    Source of the form: Chen et al., "InfoGAN: Interpretable Representation Learning by Information Maximizing
    Generative Adversarial Nets", 2016, whose Q shares all but its last layers with the discriminator.

    Raises:
        InputError: the noise has no codes, or the samples are not images with sides that can be halved twice.
    """

    def __init__(
        self,
        noise: Any,
        sample_shape: tuple[int, ...],
        /,
        *,
        channels: Annotated[int, Ge(1), "channels of the first map"] = 16,
        hidden_dim: Annotated[int, Ge(1), "width of the linear layers"] = 128,
    ) -> None:
        super().__init__()
        if len(sample_shape) != 3 or sample_shape[1] % 4 or sample_shape[2] % 4:
            raise InputError(f"code_reader needs images with sides that 4 divides, not samples of shape {sample_shape}")
        colours, height, width = sample_shape
        self.layers = nn.Sequential(
            nn.Conv2d(colours, channels, 4, 2, 1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(channels, 2 * channels, 4, 2, 1),
            nn.BatchNorm2d(2 * channels),
            nn.LeakyReLU(0.1),
            nn.Flatten(),
            nn.Linear(2 * channels * height * width // 16, hidden_dim),
            nn.BatchNorm1d(hidden_dim),
            nn.LeakyReLU(0.1),
        )
        self.head = CodeHead(noise, features=hidden_dim, hidden_dim=hidden_dim)

    def forward(self, samples: Tensor) -> dict[str, Tensor]:
        """Return what `code_head` does, for `(n, channels, height, width)` float32 in [0, 1]."""
        guess: dict[str, Tensor] = self.head(self.layers(2 * samples - 1))
        return guess


class AugmentedInformation:
    """InfoGAN's term on changed images, and a term with which Q sorts real images into categories.

    A change T turns, shears, stretches and moves an image, by amounts of its own. Q, `[networks.q]`, reads the codes of
    T(G(z)), so that a category cannot be the slant, the size or the place of a shape. Of real images x the term is

        E[KL(q(x) || q(T(x)))] - lambda (mu H(E[q(x)]) - E[H(q(x))]),

    without a gradient through the first q(x). It asks that T leaves the category as it is, that all categories are
    equally frequent, and that each image is surely of one. So Q finds kinds of real images by itself, and the generator
    learns to make the kind that its category asks for. No label is used. This is more than InfoGAN, in which Q sees
    only fakes; with `real_weight = 0` it sees only these.

    Both are terms of the generator's loss, and Q belongs to its optimizer: `networks = ["generator", "q"]`. Q reads
    samples, as `code_reader` does.

    Source: Chen et al., "InfoGAN", 2016; Hu et al., "Learning Discrete Representations via Information Maximizing
    Self-Augmented Training", 2017, for the term of real images. Lambda and mu are 0.1 and 4, as in the authors' code
    for MNIST, whose T is an adversarial change, and not an affine one.

    Raises:
        InputError: the noise has no codes, or the samples are not images; or, in training, the recipe has no Q.
    """

    def __init__(
        self,
        noise: Any,
        sample_shape: tuple[int, ...],
        /,
        *,
        category_weight: Annotated[float, Ge(0), "weight of the category's cross-entropy"] = 0.3,
        continuous_weight: Annotated[float, Ge(0), "weight of the numbers' negative log-likelihood"] = 0.03,
        real_weight: Annotated[float, Ge(0), "weight of the term of real images"] = 1.0,
        turn_degrees: Annotated[float, Ge(0), Le(180), "largest turn either way"] = 25.0,
        shear: Annotated[float, Ge(0), "largest shift of a row, as a share of its height above the middle"] = 0.3,
        stretch: Annotated[float, Ge(0), "largest natural logarithm of a factor of each side"] = 0.15,
        shift: Annotated[float, Ge(0), Lt(1), "largest shift, as a share of half a side"] = 0.15,
    ) -> None:
        require_codes(noise)
        if len(sample_shape) != 3:
            raise InputError(f"augmented_information needs images, not samples of shape {sample_shape}")
        self.noise = noise
        self.category_weight, self.continuous_weight = category_weight, continuous_weight
        self.real_weight = real_weight
        self.turn_degrees, self.shear, self.stretch, self.shift = turn_degrees, shear, stretch, shift

    def generator(self, context: UpdateContext) -> Tensor:
        """Return both terms, added up, a scalar."""
        if "q" not in context.networks:
            raise InputError("augmented_information needs [networks.q], which reads samples, such as 'code_reader'")
        q = context.networks["q"]
        guess = q(self.change(context.fake, context.random))
        category, continuous = code_losses(guess, self.noise.split(context.z))
        term: Tensor = self.category_weight * category + self.continuous_weight * continuous
        if self.real_weight:
            changed = self.change(context.real, context.random)
            logits = q(torch.cat([context.real, changed]))["category"]
            term = term + self.real_weight * sorting_loss(*logits.chunk(2))
        return term

    def change(self, samples: Tensor, random: RowRandom) -> Tensor:
        """Return T of `(n, channels, height, width)` float32 in [0, 1]: as many, bilinear, with 0 outside of them."""
        turn, shear, wide, high, right, down = (2 * random.uniform(6) - 1).unbind(1)
        ratio = samples.shape[2] / samples.shape[3]
        cos, sin = torch.cos(turn * math.radians(self.turn_degrees)), torch.sin(turn * math.radians(self.turn_degrees))
        wide, high = torch.exp(self.stretch * wide), torch.exp(self.stretch * high)
        # Where a pixel comes from, with both sides measured from -1 to 1, y down.
        first = torch.stack([cos * wide, (self.shear * shear - sin * high) * ratio, self.shift * right], dim=1)
        second = torch.stack([sin * wide / ratio, cos * high, self.shift * down], dim=1)
        grid = affine_grid(torch.stack([first, second], dim=1), list(samples.shape), align_corners=False)
        return grid_sample(samples, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def sorting_loss(logits: Tensor, changed: Tensor) -> Tensor:
    """Return IMSAT's loss, a scalar, for logits `(n, categories)` of images and of their changed forms, float32."""
    log_q, log_changed = logits.log_softmax(1), changed.log_softmax(1)
    q = log_q.exp()
    shares = q.mean(0)
    moved = (q.detach() * (log_q.detach() - log_changed)).sum(1).mean()
    of_each, of_shares = -(q * log_q).sum(1).mean(), -(shares * shares.clamp(min=1e-8).log()).sum()
    return moved - INFORMATION_WEIGHT * (SHARES_WEIGHT * of_shares - of_each)
