"""The gradient penalty of DRAGAN."""

from typing import Annotated

from annotated_types import Ge
from torch import Tensor

from ganfw import UpdateContext
from ganfw.builtin.logit_gradients import gradient_norms


class Dragan:
    """Adds weight · E[(||∇D(x + δ)|| - target)²] to the discriminator's loss, around real samples x.

    δ is N(0, noise_std²) in every coordinate. Source: Kodali et al., "On Convergence and Stability of GANs", 2017,
    equation 1, where noise_std² is called c, lambda is 10 and the target k is 1. How far to look around a sample
    depends on the data; the default is for pixels in [0, 1].
    """

    def __init__(
        self,
        *,
        weight: Annotated[float, Ge(0), "lambda"] = 10.0,
        target: Annotated[float, Ge(0), "the norm that is aimed at"] = 1.0,
        noise_std: Annotated[float, Ge(0), "standard deviation of the perturbation"] = 0.1,
        every_steps: Annotated[int, Ge(1), "steps between two penalties; each is multiplied by this number"] = 1,
    ) -> None:
        self.weight = weight
        self.target = target
        self.noise_std = noise_std
        self.every_steps = every_steps

    def discriminator(self, context: UpdateContext) -> Tensor:
        """Return the penalty, a scalar."""
        around = context.real + self.noise_std * context.random.normal(*context.real.shape[1:])
        return self.weight * (gradient_norms(context.discriminate, around) - self.target).square().mean()
