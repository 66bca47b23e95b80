"""Uniform noise."""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor


class Uniform:
    """Draws every coordinate from the uniform distribution on [-1, 1].

    The first convolutional GANs have such noise (Radford, Metz and Chintala, "Unsupervised Representation Learning with
    Deep Convolutional Generative Adversarial Networks", 2016, section 3). Truncation is not defined for it.
    """

    def __init__(
        self, device: torch.device, /, *, z_dim: Annotated[int, Ge(1), "length of a noise vector"] = 64
    ) -> None:
        self.device = torch.device(device)
        self.z_dim = z_dim

    def __call__(self, count: int, random: torch.Generator) -> Tensor:
        """Return `(count, z_dim)` float32 in [-1, 1]."""
        return torch.empty(count, self.z_dim, device=self.device).uniform_(-1, 1, generator=random)
