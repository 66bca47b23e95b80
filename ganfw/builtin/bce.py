"""The non-saturating loss."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


class BCE:
    """Binary cross-entropy with logits, and the non-saturating generator loss.

    Source: Goodfellow et al., "Generative Adversarial Nets", 2014, equation 1, and the end of section 3: the
    generator maximises log D(G(z)), which has the same fixed point as `minimax` but much stronger gradients early.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return the mean of the cross-entropies of fakes against 0 and of reals against 1, a scalar."""
        fake = binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))
        real = binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))
        return (fake + real) / 2

    def generator(self, fake_logits: Tensor) -> Tensor:
        """Return the cross-entropy of fakes against 1, a scalar."""
        return binary_cross_entropy_with_logits(fake_logits, torch.ones_like(fake_logits))
