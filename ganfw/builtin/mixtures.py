"""Toy data in the plane: mixtures of narrow Gaussians, whose modes can be counted."""

import math
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt
from torch import Tensor

from ganfw import TensorData

SPLITS = ("train", "test")


def ring(
    *,
    modes: Annotated[int, Ge(1), "Gaussians on the circle"] = 8,
    radius: Annotated[float, Gt(0), "radius of the circle"] = 1.0,
    sigma: Annotated[float, Ge(0), "standard deviation of each coordinate around its mode"] = 0.01,
    size: Annotated[int, Ge(1), "points to draw"] = 50_000,
    split: Annotated[Literal["train", "test"], "two independent draws"] = "train",
    seed: Annotated[int, Ge(0), "the points follow from it, whatever the run's seed is"] = 0,
) -> TensorData:
    """Equally likely Gaussians at equal distances on a circle around the origin.

    Source: Metz et al., "Unrolled Generative Adversarial Networks", 2017, section 3.1; with this radius and sigma in
    Srivastava et al., "VEEGAN: Reducing Mode Collapse in GANs using Implicit Variational Learning", 2017, section 5.1.

    Returns:
        `(size, 2)` float32 points, and the mode of each, `(size,)` int64 in [0, modes), counted from (radius, 0)
        counterclockwise.
    """
    return _draw(ring_centres(modes, radius), sigma, size, split, seed)


def grid(
    *,
    side: Annotated[int, Ge(1), "Gaussians along a side of the square"] = 5,
    spacing: Annotated[float, Gt(0), "distance of neighbouring Gaussians"] = 2.0,
    sigma: Annotated[float, Ge(0), "standard deviation of each coordinate around its mode"] = 0.05,
    size: Annotated[int, Ge(1), "points to draw"] = 50_000,
    split: Annotated[Literal["train", "test"], "two independent draws"] = "train",
    seed: Annotated[int, Ge(0), "the points follow from it, whatever the run's seed is"] = 0,
) -> TensorData:
    """Equally likely Gaussians on a square grid around the origin.

    Source: Lin et al., "PacGAN: The Power of Two Samples in Generative Adversarial Networks", 2018, after
    Srivastava et al., "VEEGAN", 2017, section 5.1.

    Returns:
        `(size, 2)` float32 points, and the mode of each, `(size,)` int64 in [0, side²), counted from the corner with
        the least coordinates, y first.
    """
    return _draw(grid_centres(side, spacing), sigma, size, split, seed)


def ring_centres(modes: int, radius: float) -> Tensor:
    """Return `(modes, 2)` float64 centres on a circle."""
    angles = torch.arange(modes, dtype=torch.float64) * (2 * math.pi / modes)
    return torch.stack([angles.cos(), angles.sin()], dim=1) * radius


def grid_centres(side: int, spacing: float) -> Tensor:
    """Return `(side², 2)` float64 centres on a square grid around the origin."""
    places = (torch.arange(side, dtype=torch.float64) - (side - 1) / 2) * spacing
    return torch.cartesian_prod(places, places).reshape(-1, 2)


def _draw(centres: Tensor, sigma: float, size: int, split: str, seed: int) -> TensorData:
    """Draw points on the CPU, the same on every device; the splits have random streams of their own."""
    random = torch.Generator().manual_seed(len(SPLITS) * seed + SPLITS.index(split))
    labels = torch.randint(len(centres), (size,), generator=random)
    offsets = torch.randn(size, 2, generator=random, dtype=torch.float64) * sigma
    return TensorData((centres[labels] + offsets).float(), labels, num_classes=len(centres))
