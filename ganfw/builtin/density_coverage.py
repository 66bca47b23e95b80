"""Density and coverage."""

from collections.abc import Mapping
from typing import Annotated

import torch
from annotated_types import Ge

from ganfw import MetricInputs, MetricValue
from ganfw.builtin.distances import inside, kth_distance
from ganfw.builtin.shortfall import shortfall


class DensityCoverage:
    """How densely samples lie where the reference is, and how much of the reference has a sample near.

    Around the features of each reference sample is a ball, as large as the distance to its k-th nearest neighbour in
    the reference; as in the authors' program, its surface does not belong to it. `density` is the number of balls that
    a sample is in, divided by k, in the mean over samples; it can be above 1. `coverage` is the share of balls with a
    sample in them.

    Source: Naeem et al., "Reliable Fidelity and Diversity Metrics for Generative Models", 2020, section 3.
    """

    def __init__(self, *, k: Annotated[int, Ge(1), "the neighbour that a ball reaches to"] = 5) -> None:
        self.k = k

    def __call__(self, inputs: MetricInputs) -> Mapping[str, MetricValue]:
        """Return `density` and `coverage`; no value without samples, or with not more than k reference samples."""
        samples, reference = inputs.samples.features, inputs.reference.features
        if reason := (
            shortfall({"samples": samples}, 1, "a mean needs")
            or shortfall({"reference samples": reference}, self.k + 1, f"k = {self.k} needs")
        ):
            return {name: MetricValue(None, "higher", reason) for name in ("density", "coverage")}
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
