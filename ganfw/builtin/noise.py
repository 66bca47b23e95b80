"""The noise that generators start from: Gaussian, truncated (exactly) and uniform."""

import math
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor

from ganfw import InputError

Length = Annotated[int, Ge(1), "length of a noise vector"]


class Normal:
    """Draws from N(0, I).

    The noise of the reference GAN; `truncated` says what happens to it under truncation.
    """

    def __init__(self, device: torch.device, /, *, z_dim: Length = 64) -> None:
        self.device = torch.device(device)
        self.z_dim = z_dim

    def __call__(self, count: int, random: torch.Generator) -> Tensor:
        """Return `(count, z_dim)` float32."""
        return torch.randn(count, self.z_dim, generator=random, device=self.device)

    def truncated(self, threshold: float) -> "Truncated":
        """Return a sampler with every coordinate in [-threshold, threshold]."""
        return Truncated(self.device, z_dim=self.z_dim, threshold=threshold)


class Truncated:
    """Draws from N(0, I) conditioned on every coordinate being in [-threshold, threshold].

    This is the distribution of the truncation trick (Brock, Donahue and Simonyan, "Large Scale GAN Training for
    High Fidelity Natural Image Synthesis", 2019, section 3.1), where a coordinate outside is drawn again until it
    is inside. Here no coordinate is drawn twice: a normal one, x, is moved to the same quantile of the truncated
    distribution, `z = sqrt(2) erfinv(erf(x / sqrt(2)) erf(threshold / sqrt(2)))`. So with one seed z is a
    continuous, increasing function of the threshold, from only the mean at 0 to the samples of `normal`.

    Raises:
        InputError: the threshold is below 0 or not a number.
    """

    def __init__(
        self,
        device: torch.device,
        /,
        *,
        z_dim: Length = 64,
        threshold: Annotated[float, Ge(0), "largest absolute value of a coordinate; 0 gives only the mean"] = 2.0,
    ) -> None:
        if not threshold >= 0:
            raise InputError(f"the truncation threshold must be >= 0, not {threshold}")
        self.device = torch.device(device)
        self.z_dim = z_dim
        self.threshold = float(threshold)

    def __call__(self, count: int, random: torch.Generator) -> Tensor:
        """Return `(count, z_dim)` float32, every value in [-threshold, threshold]."""
        x = torch.randn(count, self.z_dim, generator=random, device=self.device)
        # float64, or values beyond 5 standard deviations would be lost in erf's rounding to 1. MPS has none.
        x = x.to("cpu" if self.device.type == "mps" else self.device, torch.float64)
        inside = math.erf(self.threshold / math.sqrt(2))
        z = math.sqrt(2) * torch.erfinv(torch.erf(x / math.sqrt(2)) * inside)
        threshold = torch.tensor(self.threshold, dtype=torch.float32)
        limit = float(torch.nextafter(threshold, torch.zeros(())))  # for float32 may have rounded the threshold up
        return z.to(self.device, torch.float32).clamp_(-limit, limit)

    def truncated(self, threshold: float) -> "Truncated":
        """Return a sampler with this threshold, or this sampler's own if that is smaller."""
        return Truncated(self.device, z_dim=self.z_dim, threshold=min(threshold, self.threshold))


class Uniform:
    """Draws every coordinate from the uniform distribution on [-1, 1].

    The first convolutional GANs have such noise (Radford, Metz and Chintala, "Unsupervised Representation Learning with
    Deep Convolutional Generative Adversarial Networks", 2016, section 3). Truncation is not defined for it.
    """

    def __init__(self, device: torch.device, /, *, z_dim: Length = 64) -> None:
        self.device = torch.device(device)
        self.z_dim = z_dim

    def __call__(self, count: int, random: torch.Generator) -> Tensor:
        """Return `(count, z_dim)` float32 in [-1, 1]."""
        return torch.empty(count, self.z_dim, device=self.device).uniform_(-1, 1, generator=random)
