"""The hinge loss."""

from torch import Tensor
from torch.nn.functional import relu


class Hinge:
    """A margin of 1 on each side of the decision, beyond which the discriminator has nothing to gain.

        discriminator: E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]
        generator:     -E[D(G(z))]

    Source: Lim and Ye, "Geometric GAN", 2017, section 3; Miyato et al., "Spectral Normalization for Generative
    Adversarial Networks", 2018, section 4.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return by how much reals fall short of 1 and fakes exceed -1, a scalar, at least 0."""
        return relu(1 - real_logits).mean() + relu(1 + fake_logits).mean()

    def generator(self, fake_logits: Tensor) -> Tensor:
        """Return minus the mean logit of fakes, a scalar without bounds."""
        return -fake_logits.mean()
