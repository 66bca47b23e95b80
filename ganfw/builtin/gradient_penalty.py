"""The gradient penalty of WGAN-GP."""

from typing import Annotated

from annotated_types import Ge
from torch import Tensor

from ganfw import UpdateContext
from ganfw.builtin.logit_gradients import gradient_norms


class GradientPenalty:
    """Adds weight · E[(||∇D(x̂)|| - target)²] to the discriminator's loss, at points between reals and fakes.

    x̂ = t·x + (1 - t)·G(z), with t uniform on [0, 1) for each row. Where networks are conditional, x̂ has the label of
    its x, which its G(z) has too. Source: Gulrajani et al., "Improved Training of Wasserstein GANs", 2017, section 4
    and algorithm 1. The paper advises against BatchNorm in the discriminator: it makes a sample's logit depend on the
    others, and the penalty no longer speaks of single samples.
    """

    def __init__(
        self,
        *,
        weight: Annotated[float, Ge(0), "lambda"] = 10.0,
        target: Annotated[float, Ge(0), "the norm that is aimed at"] = 1.0,
        every_steps: Annotated[int, Ge(1), "steps between two penalties; each is multiplied by this number"] = 1,
    ) -> None:
        self.weight = weight
        self.target = target
        self.every_steps = every_steps

    def discriminator(self, context: UpdateContext) -> Tensor:
        """Return the penalty, a scalar."""
        real, fake = context.real, context.fake
        t = context.random.uniform(*[1] * (real.ndim - 1))
        between = t * real + (1 - t) * fake
        return self.weight * (gradient_norms(context.discriminate, between) - self.target).square().mean()
