"""An exponential moving average of the generator's weights."""

import copy
from typing import Annotated, Any

import torch
from annotated_types import Ge, Lt
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganfw import Noise, call_with_labels

_BATCHES = 16
_ROWS = 128


class EMA:
    """Moves each averaged weight towards the generator's by `1 - decay` after every update of the generator.

    In update t = 1, 2, ... the decay is at most `t / (t + power + 1)`, so that the random start is soon forgotten.
    While that is the lower one, update t counts with t to this power: the mean is over about the last
    `1 / (power + 1)` of the run, however long it is.

    The statistics of BatchNorm are those of the mean itself: measured over 2,048 noise vectors when the network is
    asked for. Those of the generators that it is a mean of would not fit, for a mean varies less than what it is of.
    Other floating-point buffers are averaged, and the rest are copied.

    Source: Yazıcı et al., "The Unusual Effectiveness of Averaging in GAN Training", 2019, section 3.2; statistics:
    Brock et al., "Large Scale GAN Training", 2019, appendix C; powers of t: Karras et al., "Analyzing and Improving
    the Training Dynamics of Diffusion Models", 2024, section 3.1.
    """

    def __init__(
        self,
        generator: nn.Module,
        noise: Noise,
        /,
        *,
        decay: Annotated[float, Ge(0), Lt(1), "share of the old mean that an update keeps"] = 0.999,
        power: Annotated[float, Ge(0), "of t, with which update t counts until decay is the lower limit"] = 8.0,
    ) -> None:
        self.generator = generator
        self.noise = noise
        self.decay = decay
        self.power = power
        self.updates = 0
        self._network = copy.deepcopy(generator).eval().requires_grad_(False)
        self._measured_at = 0

    @property
    def network(self) -> nn.Module:
        """The generator with the mean weights, in evaluation mode, BatchNorm statistics as they are now."""
        if self._measured_at != self.updates:
            self._measure()
            self._measured_at = self.updates
        return self._network

    @torch.no_grad()
    def update(self) -> None:
        """Take in the generator's weights and buffers."""
        self.updates += 1
        decay = min(self.decay, self.updates / (self.updates + self.power + 1))
        means, values = [], []
        for mean, value in zip(_tensors(self._network), _tensors(self.generator), strict=True):
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
        self._network.load_state_dict(state["network"])
        self.updates = self._measured_at = int(state["updates"])

    @torch.no_grad()
    def _measure(self) -> None:
        """Give BatchNorm layers the statistics of the mean weights, the same for the same weights."""
        layers = [layer for layer in self._network.modules() if isinstance(layer, _BatchNorm)]
        momenta = [layer.momentum for layer in layers]
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # a plain mean over the batches
            layer.train()
        random = torch.Generator(self.noise.device).manual_seed(0)
        for _ in range(_BATCHES if layers else 0):
            z = self.noise(_ROWS, random)
            call_with_labels(self._network, z, _each_class_in_turn(self._network, z))
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
            layer.eval()


def _each_class_in_turn(generator: nn.Module, z: Tensor) -> Tensor | None:
    num_classes = getattr(generator, "num_classes", None)
    return None if num_classes is None else torch.arange(len(z), device=z.device) % num_classes


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]
