"""PacGAN: a discriminator that judges several samples together."""

import math
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from ganfw_algorithms.perceptrons import HiddenDim, layers_down


class PackedMLPDiscriminator(nn.Module):
    """The discriminator `mlp` of ganfw for packs of samples, all real or all fake, which a lack of variety gives away.

    Rows of a batch are packed in their order; a last pack that is not full is filled up from the beginning of the
    batch. Each row gets the logit of its pack, so that the mean over rows of a loss is that over packs. Only the first
    layer is wider than that of `mlp`: blocks `pack * pixels -> 4h -> 2h -> h`, and Linear to one logit.

    Source: Lin et al., "PacGAN: The power of two samples in generative adversarial networks", 2018.
    """

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        /,
        *,
        pack: Annotated[int, Ge(1), "samples that are judged together"] = 2,
        hidden_dim: HiddenDim = 128,
    ) -> None:
        super().__init__()
        h = hidden_dim
        self.pack = pack
        self.layers = layers_down([pack * math.prod(sample_shape), 4 * h, 2 * h, h])
        self.last = nn.Linear(h, 1)

    def forward(self, samples: Tensor) -> Tensor:
        """Return `(n, 1)` logits, the same for the rows of a pack, for `(n, *sample_shape)` float32."""
        count = len(samples)
        packs = -(-count // self.pack)
        rows = torch.arange(packs * self.pack, device=samples.device) % count
        logits: Tensor = self.last(self.layers(samples.flatten(1)[rows].reshape(packs, -1)))
        return logits.repeat_interleave(self.pack, 0)[:count]
