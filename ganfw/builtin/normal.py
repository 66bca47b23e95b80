"""Gaussian noise."""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor

from ganfw.builtin.truncated import Truncated


class Normal:
    """Draws from N(0, I).

    The noise of the reference GAN; `truncated` says what happens to it under truncation.
    """

    def __init__(
        self, device: torch.device, /, *, z_dim: Annotated[int, Ge(1), "length of a noise vector"] = 64
    ) -> None:
        self.device = torch.device(device)
        self.z_dim = z_dim

    def __call__(self, count: int, random: torch.Generator) -> Tensor:
        """Return `(count, z_dim)` float32."""
        return torch.randn(count, self.z_dim, generator=random, device=self.device)

    def truncated(self, threshold: float) -> Truncated:
        """Return a sampler with every coordinate in [-threshold, threshold]."""
        return Truncated(self.device, z_dim=self.z_dim, threshold=threshold)
