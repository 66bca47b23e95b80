"""pix2pix: translation learnt from pairs."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from ganfw import Batch, InputError, Loss, RowRandom, Update, call_network


class Pix2Pix:
    """A translator that is to come near the target and to deceive a discriminator of pairs.

    The discriminator is given a target or a translation, and beside it the source. The generator minimises its loss,
    and the mean absolute difference from the target. Without `l1_weight` it is a GAN that sees its input, without
    `adversarial_weight` a regression.

    Source: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", 2017, where lambda is 100
    for pixels in [-1, 1]; with pixels in [0, 1] the same difference is half as large, so that 200 here is the same. The
    paper's noise, dropout in the generator, is left out: it changes outputs little, as the paper itself says.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: Loss,
        /,
        *,
        l1_weight: Annotated[float, Ge(0), "weight of the mean absolute difference from the target"] = 200.0,
        adversarial_weight: Annotated[float, Ge(0), "weight of the generator's adversarial loss"] = 1.0,
    ) -> None:
        self.generator, self.discriminator, self.loss = generator, discriminator, loss
        self.l1_weight, self.adversarial_weight = l1_weight, adversarial_weight

    def updates(self) -> Sequence[Update]:
        """Return the discriminator's update, then the generator's."""
        return [Update("discriminator", self.discriminator_loss), Update("generator", self.generator_loss)]

    def discriminate(self, batch: Batch, target: Tensor) -> Tensor:
        """Return the logits of targets or translations beside their sources."""
        logits: Tensor = call_network(self.discriminator, target, source=batch.samples)
        return logits

    def discriminator_loss(self, batch: Batch, random: RowRandom) -> Tensor:
        """Return what the discriminator minimises."""
        with torch.no_grad():
            fake = self.generator(batch.samples)
        return self.loss.discriminator(self.discriminate(batch, target_of(batch)), self.discriminate(batch, fake))

    def generator_loss(self, batch: Batch, random: RowRandom) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return what the generator minimises, and the difference from the target."""
        fake = self.generator(batch.samples)
        l1 = l1_loss(fake, target_of(batch))
        adversarial = self.loss.generator(self.discriminate(batch, fake))
        return self.adversarial_weight * adversarial + self.l1_weight * l1, {"l1": l1.detach()}


def target_of(batch: Batch) -> Tensor:
    """Return the targets of a batch.

    Raises:
        InputError: the data has none.
    """
    if "target" not in batch.more:
        raise InputError("the data has no entry 'target' to translate to; take data.use = 'mnist_outlines'")
    return batch.more["target"]
