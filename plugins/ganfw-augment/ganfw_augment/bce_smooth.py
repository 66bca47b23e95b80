"""One-sided label smoothing."""

from typing import Annotated

import torch
from annotated_types import Gt, Le
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, softplus


class SmoothBCE:
    """Binary cross-entropy whose discriminator aims at a probability below 1 for real samples, and at 0 for fakes.

    It keeps the discriminator from being too sure. The target of fakes stays 0, or wrong samples would attract the
    generator. Where p and q are the densities of real samples and fakes and a the target, the best discriminator gives
    the probability a p / (p + q).

    Source: Salimans et al., "Improved Techniques for Training GANs", 2016, section 3.4. The generator's loss is the
    non-saturating one (Goodfellow et al., "Generative Adversarial Nets", 2014, section 3).
    """

    def __init__(
        self, *, real_target: Annotated[float, Gt(0), Le(1), "the probability aimed at for real samples"] = 0.9
    ) -> None:
        self.real_target = real_target

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return the mean of the cross-entropies of fakes against 0 and of reals against the target, a scalar."""
        real = binary_cross_entropy_with_logits(real_logits, torch.full_like(real_logits, self.real_target))
        fake = softplus(fake_logits).mean()
        return (real + fake) / 2

    def generator(self, fake_logits: Tensor) -> Tensor:
        """Return the cross-entropy of fakes against 1, a scalar."""
        return softplus(-fake_logits).mean()
