"""Instance noise."""

from typing import Annotated, Any

import torch
from annotated_types import Ge
from torch import Tensor

from ganfw import RowRandom


class InstanceNoise:
    """Adds Gaussian noise to real and fake samples, less with every update of the discriminator, and none in the end.

    Two distributions that lie on thin sheets hardly overlap, and a discriminator that parts them perfectly teaches
    nothing; with noise they overlap. After t updates its standard deviation is `std * (1 - t / updates)`, then 0.

    Source: Sønderby et al., "Amortised MAP Inference for Image Super-resolution", 2017, section 3.2.1; Arjovsky and
    Bottou, "Towards Principled Methods for Training Generative Adversarial Networks", 2017, section 3.

    Attributes:
        seen: updates of the discriminator so far, an int64 scalar on the device.
    """

    def __init__(
        self,
        device: torch.device,
        /,
        *,
        std: Annotated[float, Ge(0), "standard deviation of the noise at the start, where images are in [0, 1]"] = 0.1,
        updates: Annotated[int, Ge(1), "updates of the discriminator after which there is no more noise"] = 10_000,
    ) -> None:
        self.std = std
        self.updates = updates
        self.seen = torch.zeros((), dtype=torch.int64, device=device)

    def __call__(self, samples: Tensor, random: RowRandom) -> Tensor:
        """Return `(n, *sample_shape)` float32 with noise; values may leave [0, 1]."""
        std = self.std * (1 - self.seen / self.updates).clamp(min=0)
        return samples + std * random.normal(*samples.shape[1:])

    def observe(self, real_logits: Tensor) -> None:
        """Count an update of the discriminator."""
        self.seen.add_(1)

    def state_dict(self) -> dict[str, Any]:
        """Return how far the noise has faded."""
        return {"seen": self.seen}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self.seen.copy_(state["seen"])
