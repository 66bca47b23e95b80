"""Toy data in the plane: mixtures of narrow Gaussians, and metrics that count the modes that samples fall on."""

import math
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt
from torch import Tensor

from ganfw import MetricInputs, MetricValue, TensorData
from ganfw.builtin.shortfall import no_values

SPLITS = ("train", "test")
REACH = 3
"""A sample within this many sigma of a mode is of high quality."""

Modes = Annotated[int, Ge(1), "Gaussians on the circle"]
Radius = Annotated[float, Gt(0), "radius of the circle"]
Side = Annotated[int, Ge(1), "Gaussians along a side of the square"]
Spacing = Annotated[float, Gt(0), "distance of neighbouring Gaussians"]
Sigma = Annotated[float, Ge(0), "standard deviation of each coordinate around its mode"]
PositiveSigma = Annotated[Sigma, Gt(0)]
Size = Annotated[int, Ge(1), "points to draw"]
Split = Annotated[Literal["train", "test"], "two independent draws"]
Seed = Annotated[int, Ge(0), "the points follow from it, not from the seed of the run"]


def ring(
    *,
    modes: Modes = 8,
    radius: Radius = 1.0,
    sigma: Sigma = 0.01,
    size: Size = 50_000,
    split: Split = "train",
    seed: Seed = 0,
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
    side: Side = 5,
    spacing: Spacing = 2.0,
    sigma: Sigma = 0.05,
    size: Size = 50_000,
    split: Split = "train",
    seed: Seed = 0,
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


class MixtureModes:
    """Counts the modes of a mixture of Gaussians in the plane that samples fall on.

    A sample is of high quality if its Euclidean distance to the nearest centre is at most 3 sigma; so are
    1 - exp(-9/2) = 98.9 % of real points. `modes_found` is how many centres are nearest to a high-quality sample at
    least. `mode_kl` is the Kullback-Leibler divergence KL(q || u) in nats, q being the shares of the modes among
    high-quality samples and u uniform: the log of the number of modes minus the entropy of q.

    Source: Srivastava et al., "VEEGAN: Reducing Mode Collapse in GANs using Implicit Variational Learning", 2017,
    section 5.1; the divergence is the "reverse" one of Lin et al., "PacGAN", 2018, but of high-quality samples only.
    """

    def __init__(self, centres: Tensor, sigma: float) -> None:
        """Count around `centres`, `(modes, 2)`; sigma is the standard deviation of each coordinate."""
        self.centres = centres.double()
        self.sigma = sigma

    def __call__(self, inputs: MetricInputs) -> dict[str, MetricValue]:
        """Return `modes_found`, `high_quality_share` and `mode_kl`."""
        samples = inputs.samples.samples
        if tuple(samples.shape[1:]) != (2,):
            reason = f"samples of shape {tuple(samples.shape[1:])} are not points in the plane"
            return no_values(reason, modes_found="higher", high_quality_share="higher", mode_kl="lower")
        counts = self._count(samples.double())
        nothing = MetricValue(None, "lower", "no sample is within 3 sigma of a mode")
        return {
            "modes_found": MetricValue(float((counts > 0).sum()), "higher"),
            "high_quality_share": MetricValue(int(counts.sum()) / len(samples), "higher"),
            "mode_kl": kl_to_uniform(counts) if counts.any() else nothing,
        }

    def _count(self, points: Tensor) -> Tensor:
        """Return how many points are near each centre, and nearer than to any other, `(modes,)` int64."""
        distances, nearest = torch.cdist(points, self.centres, compute_mode="donot_use_mm_for_euclid_dist").min(1)
        return nearest[distances <= REACH * self.sigma].bincount(minlength=len(self.centres))


def ring_modes(*, modes: Modes = 8, radius: Radius = 1.0, sigma: PositiveSigma = 0.01) -> MixtureModes:
    """Count the modes of the data part `ring`; the keys are those of the data.

    Source: Srivastava et al., "VEEGAN: Reducing Mode Collapse in GANs using Implicit Variational Learning", 2017,
    section 5.1.
    """
    return MixtureModes(ring_centres(modes, radius), sigma)


def grid_modes(*, side: Side = 5, spacing: Spacing = 2.0, sigma: PositiveSigma = 0.05) -> MixtureModes:
    """Count the modes of the data part `grid`; the keys are those of the data.

    Source: Srivastava et al., "VEEGAN: Reducing Mode Collapse in GANs using Implicit Variational Learning", 2017,
    section 5.1.
    """
    return MixtureModes(grid_centres(side, spacing), sigma)


def kl_to_uniform(counts: Tensor) -> MetricValue:
    """Return KL(q || u) in nats, q being the shares of the counts, `(modes,)`, not all 0, and u uniform."""
    shares = counts.double() / counts.sum()
    return MetricValue(float(torch.special.xlogy(shares, shares * len(counts)).sum()), "lower")
