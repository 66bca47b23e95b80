"""Precision and recall."""

from collections.abc import Mapping
from typing import Annotated

from annotated_types import Ge
from torch import Tensor

from ganfw import MetricInputs, MetricValue
from ganfw.builtin.distances import inside, kth_distance
from ganfw.builtin.shortfall import shortfall


class PrecisionRecall:
    """How many samples look real, and how much of the real data the samples reach.

    The manifold of a set is the union of balls around its features, each as large as the distance to the k-th nearest
    neighbour in the set; the surface belongs to the ball. `precision` is the share of samples that are in the manifold
    of the reference, `recall` the share of the reference that is in the manifold of the samples.

    Source: Kynkäänniemi et al., "Improved Precision and Recall Metric for Assessing Generative Models", 2019,
    equations 1 and 2.
    """

    def __init__(self, *, k: Annotated[int, Ge(1), "the neighbour that a ball reaches to"] = 3) -> None:
        self.k = k

    def __call__(self, inputs: MetricInputs) -> Mapping[str, MetricValue]:
        """Return `precision` and `recall`; no value where a set has not more than k members."""
        samples, reference = inputs.samples.features, inputs.reference.features
        sets = {"samples": samples, "reference samples": reference}
        if reason := shortfall(sets, self.k + 1, f"k = {self.k} needs"):
            return {name: MetricValue(None, "higher", reason) for name in ("precision", "recall")}
        return {
            "precision": MetricValue(self._share(samples, reference), "higher"),
            "recall": MetricValue(self._share(reference, samples), "higher"),
        }

    def _share(self, points: Tensor, manifold: Tensor) -> float:
        """Return the share of points, `(n, d)`, that are in the manifold of a set, `(m, d)`."""
        radii = kth_distance(manifold, manifold, self.k + 1)
        return sum(int(found.any(1).sum()) for _, found in inside(points, manifold, radii, closed=True)) / len(points)
