"""Gradient penalties centred at zero: R1 at real samples, R2 at fakes."""

from typing import Annotated

from annotated_types import Ge
from torch import Tensor

from ganfw import UpdateContext
from ganfw.builtin.logit_gradients import logit_gradients

Weight = Annotated[float, Ge(0), "gamma; half of it multiplies the mean squared norm"]
EverySteps = Annotated[int, Ge(1), "steps between two penalties; each is multiplied by this number"]


class R1:
    """Adds weight/2 · E[||∇D(x)||²], over real samples x, to the discriminator's loss.

    Source: Mescheder, Geiger and Nowozin, "Which Training Methods for GANs do actually Converge?", 2018, section 4.1;
    with `every_steps` above 1, lazily: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020,
    section 3.1. Weights of papers are for pixels in [-1, 1]. Here they are in [0, 1], where the same discriminator is
    twice as steep: a weight of 10 is one of 40 there.
    """

    def __init__(self, *, weight: Weight = 10.0, every_steps: EverySteps = 1) -> None:
        self.weight = weight
        self.every_steps = every_steps

    def discriminator(self, context: UpdateContext) -> Tensor:
        """Return the penalty at the real samples, a scalar."""
        return self.weight / 2 * _mean_squared_norm(context, context.real)


class R2:
    """Adds weight/2 · E[||∇D(G(z))||²], over fakes, to the discriminator's loss.

    Source: as `R1`. Both together: Huang et al., "The GAN is dead; long live the GAN! A Modern GAN Baseline", 2024,
    section 2.
    """

    def __init__(self, *, weight: Weight = 10.0, every_steps: EverySteps = 1) -> None:
        self.weight = weight
        self.every_steps = every_steps

    def discriminator(self, context: UpdateContext) -> Tensor:
        """Return the penalty at the fakes, a scalar."""
        return self.weight / 2 * _mean_squared_norm(context, context.fake)


def _mean_squared_norm(context: UpdateContext, samples: Tensor) -> Tensor:
    return logit_gradients(context.discriminate, samples).square().sum(1).mean()
