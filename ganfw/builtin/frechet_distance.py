"""The Fréchet distance."""

import math
from collections.abc import Mapping
from typing import Annotated

import torch
from annotated_types import Ge
from attrs import frozen
from torch import Tensor

from ganfw import MetricInputs, MetricValue, Moments
from ganfw.builtin.shortfall import no_values, shortfall


class FrechetDistance:
    """The Fréchet distance of two Gaussians, fitted to the features of samples and of the reference.

    `frechet_distance` is `|m - m'|² + tr(S + S' - 2 (S S')^(1/2))`, with the means m and the unbiased covariances S.
    The trace of the root is the sum of the roots of the eigenvalues of S S'. With S = RᵀR these are the singular
    values of R R'ᵀ, found without forming S, to which nothing is added. A result below 0 by rounding is 0. If the
    moments of the reference are given, they are used instead of its features.

    The distance is too large by about a multiple of 1/n for n samples. `frechet_distance_infinite` takes it at several
    n, spread evenly from a tenth of the samples (or twice the dimensions and two, if that is more) to all of them: the
    mean over as many disjoint random subsets as there are of that size, each against the whole reference. It is where
    the least-squares line over 1/n meets 1/n = 0, and can be slightly below 0.

    Sources: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", 2017,
    equation 6; Chong and Forsyth, "Effectively Unbiased FID and Inception Score and Where to Find Them", 2020.
    """

    takes_moments = True

    def __init__(
        self,
        *,
        infinite: Annotated[bool, "also at infinitely many samples, which takes some 30 times as long"] = True,
        sizes: Annotated[int, Ge(2), "sample sizes that the line is laid through"] = 15,
    ) -> None:
        self.infinite = infinite
        self.sizes = sizes

    def __call__(self, inputs: MetricInputs) -> Mapping[str, MetricValue]:
        """Return `frechet_distance`, and `frechet_distance_infinite` if asked for.

        They have no value with too few rows for the dimensions.
        """
        samples, reference = inputs.samples.features, inputs.reference.features
        dimensions = samples.shape[1]
        moments = inputs.reference.moments
        sets = {"samples": samples} if moments else {"samples": samples, "reference samples": reference}
        if reason := shortfall(sets, dimensions + 1, f"{dimensions} dimensions need"):
            found = no_values(reason, frechet_distance="lower", frechet_distance_infinite="lower")
            return found if self.infinite else {"frechet_distance": found["frechet_distance"]}
        target = _Gaussian.of(moments) if moments else _Gaussian.fitted(reference)
        found = {"frechet_distance": MetricValue(_Gaussian.fitted(samples).distance(target), "lower")}
        if self.infinite:
            found["frechet_distance_infinite"] = self._at_infinity(samples, target, inputs.seed)
        return found

    def _at_infinity(self, samples: Tensor, target: "_Gaussian", seed: int) -> MetricValue:
        count, dimensions = samples.shape
        smallest = 2 * (dimensions + 1)
        if reason := shortfall({"samples": samples}, 2 * smallest, f"a line in {dimensions} dimensions needs"):
            return MetricValue(None, "lower", reason)
        random = torch.Generator().manual_seed(seed)
        sizes = torch.linspace(max(count // 10, smallest), count, self.sizes, dtype=torch.float64).round()
        distances = torch.zeros_like(sizes)
        for index, size in enumerate(sizes.int().tolist()):
            subsets = samples[torch.randperm(count, generator=random)].split(size)[: count // size]
            distances[index] = sum(_Gaussian.fitted(subset).distance(target) for subset in subsets) / len(subsets)
        return MetricValue(_intercept(1 / sizes, distances), "lower")


@frozen(eq=False)
class _Gaussian:
    """A normal distribution: its mean, `(d,)`, and a root R of its covariance RᵀR, `(d, d)`."""

    mean: Tensor
    root: Tensor

    @classmethod
    def fitted(cls, features: Tensor) -> "_Gaussian":
        """Return the one with the mean and the unbiased covariance of `(n, d)` features, n > d."""
        mean = features.mean(0)
        centred = (features - mean) / math.sqrt(len(features) - 1)
        return cls(mean, torch.linalg.qr(centred, mode="r").R)

    @classmethod
    def of(cls, moments: Moments) -> "_Gaussian":
        """Return the one with these moments; eigenvalues below 0 by rounding are 0."""
        values, vectors = torch.linalg.eigh(moments.covariance)
        return cls(moments.mean, values.clamp(min=0).sqrt()[:, None] * vectors.T)

    def distance(self, other: "_Gaussian") -> float:
        """Return the squared 2-Wasserstein distance, which is called the Fréchet distance."""
        overlap = torch.linalg.svdvals(self.root @ other.root.T).sum()
        between = (self.mean - other.mean).square().sum()
        return max(0.0, float(between + self.root.square().sum() + other.root.square().sum() - 2 * overlap))


def _intercept(x: Tensor, y: Tensor) -> float:
    """Return where the least-squares line through `(n,)` points meets x = 0."""
    centred = x - x.mean()
    slope = (centred * y).sum() / centred.square().sum()
    return float(y.mean() - slope * x.mean())
