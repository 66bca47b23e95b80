"""The relativistic loss of pairs."""

from torch import Tensor
from torch.nn.functional import softplus


class Relativistic:
    """Asks of each pair of a real sample and a fake which is the real one; only differences of logits count.

        discriminator: E[softplus(-(D(x) - D(G(z))))]
        generator:     E[softplus(-(D(G(z)) - D(x)))]

    Each row of a batch is a pair. Source: Jolicoeur-Martineau, "The relativistic discriminator: a key element missing
    from standard GAN", 2019, section 4.1. As the loss of R3GAN it goes with the regularizers `r1` and `r2`: Huang et
    al., "The GAN is dead; long live the GAN! A Modern GAN Baseline", 2024, section 2.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return the mean negative log-likelihood that reals are judged above their fakes, a scalar, at least 0."""
        return softplus(fake_logits - real_logits).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor) -> Tensor:
        """Return the mean negative log-likelihood that fakes are judged above their reals, a scalar, at least 0."""
        return softplus(real_logits - fake_logits).mean()
