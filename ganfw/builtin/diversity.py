"""How different samples are from each other."""

from collections.abc import Mapping

from ganfw import MetricInputs, MetricValue
from ganfw.builtin.distances import mean_pairwise_distance
from ganfw.builtin.shortfall import shortfall


class Diversity:
    """The spread of samples, in units of the reference's.

    `diversity` is the mean distance between the features of two different samples, over all pairs, divided by the same
    mean of the reference: 1 where samples are as different from each other as real ones, 0 where all are equal.

    Source: the mean distance of random pairs as in Zhu et al., "Toward Multimodal Image-to-Image Translation", 2017;
    here of all pairs, of features, and against real samples.
    """

    def __call__(self, inputs: MetricInputs) -> Mapping[str, MetricValue]:
        """Return `diversity`; no value with fewer than two samples, or where all reference samples are equal."""
        samples, reference = inputs.samples.features, inputs.reference.features
        sets = {"samples": samples, "reference samples": reference}
        if reason := shortfall(sets, 2, "a pair needs"):
            return {"diversity": MetricValue(None, "higher", reason)}
        spread = mean_pairwise_distance(reference)
        if spread == 0:
            return {"diversity": MetricValue(None, "higher", "all reference samples are equal")}
        return {"diversity": MetricValue(mean_pairwise_distance(samples) / spread, "higher")}
