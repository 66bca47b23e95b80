"""Noise on a hypersphere."""

import math
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor
from torch.nn.functional import normalize


class Hypersphere:
    """Draws points uniformly from the hypersphere of radius sqrt(z_dim).

    The noise of Karras et al., "Progressive Growing of GANs for Improved Quality, Stability, and Variation", 2018,
    appendix A.1. N(0, I) lies close to this sphere when z_dim is large (White, "Sampling Generative Networks", 2016,
    section 2.1); here the length, which carries nothing, is gone, and spherical interpolation never leaves the sphere.
    The direction of N(0, I) is uniform (Muller, "A note on a method for generating points uniformly on
    n-dimensional spheres", 1959). Truncation is not defined for it.
    """

    def __init__(
        self, device: torch.device, /, *, z_dim: Annotated[int, Ge(1), "length of a noise vector"] = 64
    ) -> None:
        self.device = torch.device(device)
        self.z_dim = z_dim

    def __call__(self, count: int, random: torch.Generator) -> Tensor:
        """Return `(count, z_dim)` float32; every coordinate has mean 0 and variance 1."""
        x = torch.randn(count, self.z_dim, generator=random, device=self.device)
        return normalize(x, dim=1) * math.sqrt(self.z_dim)
