"""An exponential moving average of the generator's weights."""

import copy
from typing import Annotated, Any

import torch
from annotated_types import Ge, Lt
from torch import Tensor, nn


class EMA:
    """Moves each averaged weight towards the generator's by `1 - decay` after every update of the generator.

    Floating-point buffers, such as BatchNorm's running statistics, are averaged likewise; others are copied. In update
    t = 1, 2, ... the decay is at most `t / (t + 9)`, so that the random start is soon forgotten.

    Source: Yazıcı et al., "The Unusual Effectiveness of Averaging in GAN Training", 2019, section 3.2.
    """

    def __init__(
        self,
        generator: nn.Module,
        /,
        *,
        decay: Annotated[float, Ge(0), Lt(1), "share of the old mean that an update keeps"] = 0.999,
    ) -> None:
        self.generator = generator
        self.network = copy.deepcopy(generator).eval().requires_grad_(False)
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self) -> None:
        """Take in the generator's weights and buffers."""
        self.updates += 1
        decay = min(self.decay, self.updates / (self.updates + 9))
        means, values = [], []
        for mean, value in zip(_tensors(self.network), _tensors(self.generator), strict=True):
            if mean.is_floating_point():
                means.append(mean)
                values.append(value)
            else:
                mean.copy_(value)
        torch._foreach_lerp_(means, values, 1 - decay)

    def state_dict(self) -> dict[str, Any]:
        """Return the mean and how many updates it has seen."""
        return {"network": self.network.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self.network.load_state_dict(state["network"])
        self.updates = int(state["updates"])


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]
