"""The original, saturating loss."""

from torch import Tensor
from torch.nn.functional import logsigmoid


class Minimax:
    """The value function of the two-player game: the generator minimises what the discriminator maximises.

    Source: Goodfellow et al., "Generative Adversarial Nets", 2014, equation 1. While the discriminator is sure of
    itself the generator's gradient vanishes: see `bce` for the usual remedy.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return half of -E[log D(x)] - E[log(1 - D(G(z)))], a scalar; the half as in `bce`."""
        return -(logsigmoid(real_logits).mean() + logsigmoid(-fake_logits).mean()) / 2

    def generator(self, fake_logits: Tensor) -> Tensor:
        """Return E[log(1 - D(G(z)))], a scalar, at most 0."""
        return logsigmoid(-fake_logits).mean()
