"""How many of the thousand modes of Stacked MNIST were found."""

from ganfw import MetricInputs, MetricValue
from ganfw.builtin.mixture_modes import kl_to_uniform

MODES = 1000


class StackedModes:
    """Counts the numbers from 000 to 999 that a classifier reads in the channels of samples.

    `stacked_modes_found` is how many different numbers are read; `stacked_mode_kl` is the Kullback-Leibler divergence
    KL(q || u) in nats of the shares of the numbers read from the uniform distribution on all 1,000. Both depend on how
    many samples there are: published results are of 26,000, for which perfect samples, uniform on the modes, have a
    divergence of about (1000 - 1) / (2 * 26000) = 0.019, and not 0.

    Source: Metz et al., "Unrolled Generative Adversarial Networks", 2017, section 3.3.1; Srivastava et al., "VEEGAN",
    2017, section 5.2; Lin et al., "PacGAN", 2018, whose "reverse" divergence this is. Published results
    each have a classifier of their own.
    """

    def __call__(self, inputs: MetricInputs) -> dict[str, MetricValue]:
        """Return `stacked_modes_found` and `stacked_mode_kl`."""
        probabilities = inputs.samples.probabilities
        if probabilities is None or probabilities.shape[1] != MODES:
            known = "no" if probabilities is None else probabilities.shape[1]
            reason = f"the embedding knows {known} classes, not {MODES}: use = 'stacked_mnist_classifier'"
            return {
                "stacked_modes_found": MetricValue(None, "higher", reason),
                "stacked_mode_kl": MetricValue(None, "lower", reason),
            }
        counts = probabilities.argmax(1).bincount(minlength=MODES)
        return {
            "stacked_modes_found": MetricValue(float((counts > 0).sum()), "higher"),
            "stacked_mode_kl": kl_to_uniform(counts),
        }
