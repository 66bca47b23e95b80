"""The loss of the Wasserstein GAN."""

from torch import Tensor


class Wasserstein:
    """The difference of mean logits; the discriminator, called critic, estimates a distance of distributions.

        discriminator: E[D(G(z))] - E[D(x)]
        generator:     -E[D(G(z))]

    Source: Arjovsky, Chintala and Bottou, "Wasserstein GAN", 2017, equations 2 and 3 and algorithm 1. The estimate is
    one only if the critic's slope is limited, and nothing here does that: use it with the regularizer
    `gradient_penalty`, or with `weight_clipping` as that paper does, and with several discriminator steps a batch.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return the mean logit of fakes minus that of reals, a scalar without bounds."""
        return fake_logits.mean() - real_logits.mean()

    def generator(self, fake_logits: Tensor) -> Tensor:
        """Return minus the mean logit of fakes, a scalar without bounds."""
        return -fake_logits.mean()
