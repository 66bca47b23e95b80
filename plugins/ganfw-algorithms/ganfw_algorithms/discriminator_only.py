"""Training of the discriminator only, for samplers that let it choose."""

from collections.abc import Mapping, Sequence

from torch import nn

from ganfw import Augmentation, Loss, Noise, Objective, Regularizer, Update


class DiscriminatorOnly:
    """The discriminator's update of the classic step; the generator stays as it is.

    For a generator that has been trained, `generator.init` and `generator.frozen = true`, and a discriminator that is
    to tell its fakes from real samples as well as it can. With the loss `bce` or `logistic` its logit comes to be the
    logarithm of the ratio of their densities, which the samplers `rejection` and `metropolis_hastings` need.

    Source: Azadi et al., "Discriminator Rejection Sampling", 2019, which trains the discriminator on, though only its
    last layer, before samples are rejected.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: Loss,
        noise: Noise,
        regularizers: Mapping[str, Regularizer] | None = None,
        augmentations: Mapping[str, Augmentation] | None = None,
        networks: Mapping[str, nn.Module] | None = None,
        /,
    ) -> None:
        self.noise = noise
        self.objective = Objective(generator, discriminator, loss, regularizers, augmentations, networks)

    def updates(self) -> Sequence[Update]:
        """Return the discriminator's update."""
        return [self.objective.update("discriminator", self.noise)]
