"""How near samples are to the training samples."""

from collections.abc import Mapping

from torch import Tensor

from ganfw import MetricInputs, MetricValue
from ganfw.builtin.distances import kth_distance
from ganfw.builtin.shortfall import no_values, shortfall


class NearestNeighbours:
    """Whether samples are copies of training samples.

    `nearest_neighbour_distance` is the median over samples of the distance, between features, to the nearest training
    sample. `nearest_neighbour_ratio` is that median divided by the same one of the reference: 1 where samples are as
    far from the training samples as real ones that the generator never saw, far below 1 where they are copies. The
    median of an even number is the mean of the two in the middle.

    Source: Meehan, Chaudhuri and Dasgupta, "A Non-Parametric Test to Detect Data-Copying in Generative Models", 2020,
    who test whether the one kind of distances tends to be smaller than the other; here are their medians.
    """

    def __call__(self, inputs: MetricInputs) -> Mapping[str, MetricValue]:
        """Return `nearest_neighbour_distance` and `nearest_neighbour_ratio`."""
        samples, training = inputs.samples.features, inputs.training.features
        if reason := shortfall({"samples": samples, "training samples": training}, 1, "a nearest neighbour needs"):
            return no_values(reason, nearest_neighbour_distance="", nearest_neighbour_ratio="")
        distance = _median_distance(samples, training)
        return {
            "nearest_neighbour_distance": MetricValue(distance),
            "nearest_neighbour_ratio": _ratio(distance, inputs.reference.features, training),
        }


def _median_distance(points: Tensor, training: Tensor) -> float:
    return float(kth_distance(points, training, 1).quantile(0.5))


def _ratio(distance: float, reference: Tensor, training: Tensor) -> MetricValue:
    if reason := shortfall({"reference samples": reference}, 1, "a ratio needs"):
        return MetricValue(None, "", reason)
    unseen = _median_distance(reference, training)
    if unseen == 0:
        return MetricValue(None, "", "half of the reference samples have an equal among the training samples")
    return MetricValue(distance / unseen)
