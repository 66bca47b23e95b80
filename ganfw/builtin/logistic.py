"""The logistic loss, as StyleGAN writes it."""

from torch import Tensor
from torch.nn.functional import softplus


class Logistic:
    """The non-saturating loss written with softplus(t) = log(1 + exp(t)), without the half of `bce`.

        discriminator: E[softplus(D(G(z)))] + E[softplus(-D(x))]
        generator:     E[softplus(-D(G(z)))]

    Source: Goodfellow et al., "Generative Adversarial Nets", 2014, section 3; in this form in Karras, Laine and Aila,
    "A Style-Based Generator Architecture for Generative Adversarial Networks", 2019, where it goes with the
    regularizer `r1`. The discriminator's is twice that of `bce`: a regularizer's weight means what it does in papers.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return the sum of the mean negative log-likelihoods of fakes and of reals, a scalar, at least 0."""
        return softplus(fake_logits).mean() + softplus(-real_logits).mean()

    def generator(self, fake_logits: Tensor) -> Tensor:
        """Return the mean negative log-likelihood of fakes being real, a scalar, at least 0."""
        return softplus(-fake_logits).mean()
