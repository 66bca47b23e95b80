"""Feature matching: fakes are to have the mean features of real samples."""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor

from ganfw import InputError, UpdateContext, call_network, outputs_of


class FeatureMatching:
    """Adds weight · ‖E[f(x)] - E[f(G(z))]‖² to the generator's loss, with features f of the discriminator.

    The discriminator has an output `features`, `(n, ...)`, beside its logit, such as `mlp_features`. It sees the real
    samples once more. The means are over the rows that are computed at once. In the paper this takes the place of the
    generator's loss; here it is added to it, and a large weight makes it count for more.

    Source: Salimans et al., "Improved Techniques for Training GANs", 2016, section 3.1.

    Raises:
        InputError: in training, the discriminator gives no features.
    """

    def __init__(self, *, weight: Annotated[float, Ge(0), "weight of the squared distance"] = 1.0) -> None:
        self.weight = weight

    def generator(self, context: UpdateContext) -> Tensor:
        """Return the squared distance of the mean features, with its weight, a scalar."""
        with torch.no_grad():
            discriminator = context.networks["discriminator"]
            outputs = outputs_of(call_network(discriminator, context.real, z=context.z, labels=context.labels))
        if "features" not in outputs:
            raise InputError(
                "the discriminator gives no output 'features', which feature_matching needs; "
                "take discriminator.use = 'mlp_features'"
            )
        difference = outputs["features"].mean(0) - context.fake_outputs["features"].mean(0)
        return self.weight * difference.square().sum()
