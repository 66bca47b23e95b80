"""The weight clipping of the first Wasserstein GAN."""

from typing import Annotated

from annotated_types import Gt
from torch import nn


class WeightClipping:
    """Limits every weight and bias of the discriminator to [-limit, limit], after each of its updates.

    Source: Arjovsky, Chintala and Bottou, "Wasserstein GAN", 2017, algorithm 1. It bounds the discriminator's slope,
    if crudely; its authors call it "a clearly terrible way" to do so, and `gradient_penalty` is the usual other one.
    """

    def __init__(self, *, limit: Annotated[float, Gt(0), "largest absolute value of a weight"] = 0.01) -> None:
        self.limit = limit

    def constrain(self, discriminator: nn.Module) -> None:
        """Clip the weights in place; those that take no gradient are not changed."""
        for weight in discriminator.parameters():
            if weight.requires_grad:
                weight.clamp_(-self.limit, self.limit)
