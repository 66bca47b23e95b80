"""Which modes of a toy mixture were found, and how well."""

from typing import Annotated

import torch
from annotated_types import Ge, Gt
from torch import Tensor

from ganfw import MetricInputs, MetricValue
from ganfw.builtin.mixtures import grid_centres, ring_centres

REACH = 3
"""A sample within so many sigma of a mode is of high quality."""


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
            reason = f"samples of shape {tuple(samples.shape[1:])} are no points in the plane"
            return {
                "modes_found": MetricValue(None, "higher", reason),
                "high_quality_share": MetricValue(None, "higher", reason),
                "mode_kl": MetricValue(None, "lower", reason),
            }
        counts = self._count(samples.double())
        good = int(counts.sum())
        return {
            "modes_found": MetricValue(float((counts > 0).sum()), "higher"),
            "high_quality_share": MetricValue(good / len(samples), "higher"),
            "mode_kl": kl_to_uniform(counts)
            if good
            else MetricValue(None, "lower", "no sample is within 3 sigma of a mode"),
        }

    def _count(self, points: Tensor) -> Tensor:
        """Return how many points are near each centre, and nearer than to any other, `(modes,)` int64."""
        distances, nearest = torch.cdist(points, self.centres, compute_mode="donot_use_mm_for_euclid_dist").min(1)
        return nearest[distances <= REACH * self.sigma].bincount(minlength=len(self.centres))


def ring_modes(
    *,
    modes: Annotated[int, Ge(1), "Gaussians on the circle, as in the data"] = 8,
    radius: Annotated[float, Gt(0), "radius of the circle, as in the data"] = 1.0,
    sigma: Annotated[float, Gt(0), "standard deviation of each coordinate, as in the data"] = 0.01,
) -> MixtureModes:
    """Count the modes of the data part `ring`; the keys are those of the data."""
    return MixtureModes(ring_centres(modes, radius), sigma)


def grid_modes(
    *,
    side: Annotated[int, Ge(1), "Gaussians along a side of the square, as in the data"] = 5,
    spacing: Annotated[float, Gt(0), "distance of neighbouring Gaussians, as in the data"] = 2.0,
    sigma: Annotated[float, Gt(0), "standard deviation of each coordinate, as in the data"] = 0.05,
) -> MixtureModes:
    """Count the modes of the data part `grid`; the keys are those of the data."""
    return MixtureModes(grid_centres(side, spacing), sigma)


def kl_to_uniform(counts: Tensor) -> MetricValue:
    """Return KL(q || u) in nats, q being the shares of the counts, `(modes,)`, not all 0, and u uniform."""
    shares = counts.double() / counts.sum()
    return MetricValue(float(torch.special.xlogy(shares, shares * len(counts)).sum()), "lower")
