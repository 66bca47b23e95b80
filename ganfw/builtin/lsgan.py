"""The least-squares loss."""

from torch import Tensor


class LSGAN:
    """Half the mean squared distance of logits from a target: 1 for reals, 0 for fakes.

        discriminator: E[(D(x) - 1)²] / 2 + E[D(G(z))²] / 2
        generator:     E[(D(G(z)) - 1)²] / 2

    Source: Mao et al., "Least Squares Generative Adversarial Networks", 2017, equation 2, with the 0-1 coding of
    section 3.2: a = 0, b = c = 1. A fake that is far on the right side of the decision is drawn back too, so the
    generator's gradient does not vanish there.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return half the mean squared distances of reals from 1 and of fakes from 0, a scalar."""
        return ((real_logits - 1).square().mean() + fake_logits.square().mean()) / 2

    def generator(self, fake_logits: Tensor) -> Tensor:
        """Return half the mean squared distance of fakes from 1, a scalar."""
        return (fake_logits - 1).square().mean() / 2
