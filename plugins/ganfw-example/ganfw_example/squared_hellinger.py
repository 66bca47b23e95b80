"""The f-GAN loss of the squared Hellinger distance."""

from typing import Annotated

from torch import Tensor


class SquaredHellinger:
    """Estimates and minimises the squared Hellinger distance, the integral of (sqrt(p) - sqrt(q))^2, in [0, 2].

    Source: Nowozin, Cseke and Tomioka, "f-GAN: Training Generative Neural Samplers using Variational Divergence
    Minimization", 2016, table 2: the output activation T(v) = 1 - exp(-v) and the conjugate f*(t) = t / (1 - t), so
    that f*(T(v)) = exp(v) - 1. The activation is applied here, so the discriminator gives a logit v as for any loss;
    the best one is half the logarithm of p / q, half of what binary cross-entropy leads to.

    By default the generator maximises E[T] (section 3.2), whose gradient is strong where the discriminator tells
    fakes with ease; `saturating` has it minimise the bound itself (section 3.1, algorithm 1).
    """

    def __init__(
        self,
        *,
        saturating: Annotated[bool, "the generator minimises the bound itself, with weak gradients early"] = False,
    ) -> None:
        self.saturating = saturating

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return E[f*(T)] over fakes minus E[T] over reals, a scalar; its least value is minus the distance."""
        return (-real_logits).exp().mean() - 1 + fake_logits.exp().mean() - 1

    def generator(self, fake_logits: Tensor) -> Tensor:
        """Return -E[T] over fakes, or -E[f*(T)] where `saturating`, a scalar."""
        if self.saturating:
            return 1 - fake_logits.exp().mean()
        return (-fake_logits).exp().mean() - 1
