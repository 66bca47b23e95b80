"""Metrics of neighbourhoods: balls that reach from each point to its k-th nearest neighbour in the same set."""

from collections.abc import Mapping
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor

from ganfw import MetricInputs, MetricValue
from ganfw.builtin.distances import inside, kth_distance
from ganfw.builtin.shortfall import no_values, shortfall

Neighbour = Annotated[int, Ge(1), "the neighbour that a ball reaches to"]


class PrecisionRecall:
    """How many samples look real, and how much of the real data the samples reach.

    The manifold of a set is the union of balls around its features, each as large as the distance to the k-th nearest
    neighbour in the set; the surface belongs to the ball. `precision` is the share of samples that are in the manifold
    of the reference, `recall` the share of the reference that is in the manifold of the samples.

    Source: Kynkäänniemi et al., "Improved Precision and Recall Metric for Assessing Generative Models", 2019,
    equations 1 and 2.
    """

    def __init__(self, *, k: Neighbour = 3) -> None:
        self.k = k

    def __call__(self, inputs: MetricInputs) -> Mapping[str, MetricValue]:
        """Return `precision` and `recall`; no value where a set has not more than k members."""
        samples, reference = inputs.samples.features, inputs.reference.features
        sets = {"samples": samples, "reference samples": reference}
        if reason := shortfall(sets, self.k + 1, f"k = {self.k} needs"):
            return no_values(reason, precision="higher", recall="higher")
        return {
            "precision": MetricValue(self._share(samples, reference), "higher"),
            "recall": MetricValue(self._share(reference, samples), "higher"),
        }

    def _share(self, points: Tensor, manifold: Tensor) -> float:
        """Return the share of points, `(n, d)`, that are in the manifold of a set, `(m, d)`."""
        radii = kth_distance(manifold, manifold, self.k + 1)
        return sum(int(found.any(1).sum()) for _, found in inside(points, manifold, radii, closed=True)) / len(points)


class DensityCoverage:
    """How densely samples lie where the reference is, and how much of the reference has a sample near.

    Around the features of each reference sample is a ball, as large as the distance to its k-th nearest neighbour in
    the reference; as in the authors' program, its surface does not belong to it. `density` is the number of balls that
    a sample is in, divided by k, in the mean over samples; it can be above 1. `coverage` is the share of balls with a
    sample in them.

    Source: Naeem et al., "Reliable Fidelity and Diversity Metrics for Generative Models", 2020, section 3.
    """

    def __init__(self, *, k: Neighbour = 5) -> None:
        self.k = k

    def __call__(self, inputs: MetricInputs) -> Mapping[str, MetricValue]:
        """Return `density` and `coverage`; no value without samples, or with not more than k reference samples."""
        samples, reference = inputs.samples.features, inputs.reference.features
        if reason := (
            shortfall({"samples": samples}, 1, "a mean needs")
            or shortfall({"reference samples": reference}, self.k + 1, f"k = {self.k} needs")
        ):
            return no_values(reason, density="higher", coverage="higher")
        radii = kth_distance(reference, reference, self.k + 1)
        memberships = 0
        reached = torch.zeros(len(reference), dtype=torch.bool)
        for _, found in inside(samples, reference, radii, closed=False):
            memberships += int(found.count_nonzero())
            reached |= found.any(0)
        return {
            "density": MetricValue(memberships / (self.k * len(samples)), "higher"),
            "coverage": MetricValue(int(reached.sum()) / len(reference), "higher"),
        }
