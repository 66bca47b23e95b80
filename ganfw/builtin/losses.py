"""The losses: numbers from the discriminator's logits of real samples and of fakes, `(n, 1)` float32 each."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid, relu, softplus


class BCE:
    """Binary cross-entropy with logits, and the non-saturating generator loss.

    Source: Goodfellow et al., "Generative Adversarial Nets", 2014, equation 1, and the end of section 3: the
    generator maximises log D(G(z)), which has the same fixed point as `minimax` but much stronger gradients early.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return the mean of the cross-entropies of fakes against 0 and of reals against 1, a float32 scalar."""
        fake = binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))
        real = binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))
        return (fake + real) / 2

    def generator(self, fake_logits: Tensor) -> Tensor:
        """Return the cross-entropy of fakes against 1, a float32 scalar."""
        return binary_cross_entropy_with_logits(fake_logits, torch.ones_like(fake_logits))


class Minimax:
    """The value function of the two-player game: the generator minimises what the discriminator maximises.

    Source: Goodfellow et al., "Generative Adversarial Nets", 2014, equation 1. While the discriminator is sure of
    itself the generator's gradient vanishes: see `bce` for the usual remedy.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return half of -E[log D(x)] - E[log(1 - D(G(z)))], a float32 scalar; the half as in `bce`."""
        return -(logsigmoid(real_logits).mean() + logsigmoid(-fake_logits).mean()) / 2

    def generator(self, fake_logits: Tensor) -> Tensor:
        """Return E[log(1 - D(G(z)))], a float32 scalar, at most 0."""
        return logsigmoid(-fake_logits).mean()


class LSGAN:
    """Half the mean squared distance of logits from a target: 1 for reals, 0 for fakes.

        discriminator: E[(D(x) - 1)²] / 2 + E[D(G(z))²] / 2
        generator:     E[(D(G(z)) - 1)²] / 2

    Source: Mao et al., "Least Squares Generative Adversarial Networks", 2017, equation 2, with the 0-1 coding of
    section 3.2: a = 0, b = c = 1. A fake that is far on the right side of the decision is drawn back too, so the
    generator's gradient does not vanish there.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return half the mean squared distances of reals from 1 and of fakes from 0, a float32 scalar."""
        return ((real_logits - 1).square().mean() + fake_logits.square().mean()) / 2

    def generator(self, fake_logits: Tensor) -> Tensor:
        """Return half the mean squared distance of fakes from 1, a float32 scalar."""
        return (fake_logits - 1).square().mean() / 2


class Hinge:
    """A margin of 1 on each side of the decision, beyond which the discriminator has nothing to gain.

        discriminator: E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]
        generator:     -E[D(G(z))]

    Source: Lim and Ye, "Geometric GAN", 2017, section 3; Miyato et al., "Spectral Normalization for Generative
    Adversarial Networks", 2018, section 4.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return by how much reals fall short of 1 and fakes exceed -1, a float32 scalar, at least 0."""
        return relu(1 - real_logits).mean() + relu(1 + fake_logits).mean()

    def generator(self, fake_logits: Tensor) -> Tensor:
        """Return minus the mean logit of fakes, a float32 scalar without bounds."""
        return -fake_logits.mean()


class Wasserstein:
    """The difference of mean logits; the discriminator, called critic, estimates a distance of distributions.

        discriminator: E[D(G(z))] - E[D(x)]
        generator:     -E[D(G(z))]

    Source: Arjovsky, Chintala and Bottou, "Wasserstein GAN", 2017, equations 2 and 3 and algorithm 1. The estimate is
    one only if the critic's slope is limited, and nothing here does that: use it with the regularizer
    `gradient_penalty`, or with `weight_clipping` as that paper does, and with several discriminator steps a batch.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return the mean logit of fakes minus that of reals, a float32 scalar without bounds."""
        return fake_logits.mean() - real_logits.mean()

    def generator(self, fake_logits: Tensor) -> Tensor:
        """Return minus the mean logit of fakes, a float32 scalar without bounds."""
        return -fake_logits.mean()


class Logistic:
    """The non-saturating loss written with softplus(t) = log(1 + exp(t)), without the half of `bce`.

        discriminator: E[softplus(D(G(z)))] + E[softplus(-D(x))]
        generator:     E[softplus(-D(G(z)))]

    Source: Goodfellow et al., "Generative Adversarial Nets", 2014, section 3; in this form in Karras, Laine and Aila,
    "A Style-Based Generator Architecture for Generative Adversarial Networks", 2019, where it goes with the
    regularizer `r1`. The discriminator's is twice that of `bce`: a regularizer's weight means what it does in papers.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return the sum of the mean negative log-likelihoods of fakes and of reals, a float32 scalar, at least 0."""
        return softplus(fake_logits).mean() + softplus(-real_logits).mean()

    def generator(self, fake_logits: Tensor) -> Tensor:
        """Return the mean negative log-likelihood of fakes being real, a float32 scalar, at least 0."""
        return softplus(-fake_logits).mean()


class Relativistic:
    """Asks of each pair of a real sample and a fake which is the real one; only differences of logits count.

        discriminator: E[softplus(-(D(x) - D(G(z))))]
        generator:     E[softplus(-(D(G(z)) - D(x)))]

    Each row of a batch is a pair. Source: Jolicoeur-Martineau, "The relativistic discriminator: a key element missing
    from standard GAN", 2019, section 4.1. As the loss of R3GAN it goes with the regularizers `r1` and `r2`: Huang et
    al., "The GAN is dead; long live the GAN! A Modern GAN Baseline", 2024, section 2.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return the mean negative log-likelihood of reals being judged above their fakes, a float32 scalar >= 0."""
        return softplus(fake_logits - real_logits).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor) -> Tensor:
        """Return the mean negative log-likelihood of fakes being judged above their reals, a float32 scalar >= 0."""
        return softplus(real_logits - fake_logits).mean()
