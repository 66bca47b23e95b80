"""An exponential moving average of networks' weights."""

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from annotated_types import Ge, Lt
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.parametrize import is_parametrized

from ganfw import Noise, call_network, copy_network, each_class_in_turn, inputs_of

_MEASURED = 2048
_ITERATIONS = 5


class EMA:
    """Moves each averaged weight towards its network's by `1 - decay` after every update of the network.

    In update t = 1, 2, ... the decay is at most `t / (t + power + 1)`, so that the random start is soon forgotten.
    While that is the lower one, update t counts with t to this power: the mean is over about the last
    `1 / (power + 1)` of the run, however long it is.

    The statistics of BatchNorm in the generator are those of the mean itself: measured over 2,048 noise vectors when
    it is asked for. Those of the generators that it is a mean of would not fit, for a mean varies less than what it is
    of. Other floating-point buffers are averaged, and the rest are copied. A conditional generator is
    measured over equal shares of its classes, however frequent they are in the data, which no average is given. The
    statistics of a generator that must have other inputs than noise and labels are averaged. Spectral norms are those
    of the mean weights, by a few power iterations from the network's own vectors.

    Source: Yazıcı et al., "The Unusual Effectiveness of Averaging in GAN Training", 2019, section 3.2; statistics:
    Brock et al., "Large Scale GAN Training", 2019, appendix C; powers of t: Karras et al., "Analyzing and Improving
    the Training Dynamics of Diffusion Models", 2024, section 3.1.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        noise: Noise | None = None,
        /,
        *,
        decay: Annotated[float, Ge(0), Lt(1), "share of the old mean that an update keeps"] = 0.999,
        power: Annotated[float, Ge(0), "of t, with which update t counts until decay is the lower limit"] = 8.0,
        rows: Annotated[int, Ge(2), "noise vectors at once where BatchNorm is measured: fewer take less memory"] = 128,
    ) -> None:
        self.noise = noise
        self.decay = decay
        self.power = power
        self.rows = rows
        self.updates = 0
        self._followed = dict(networks)
        self._means = {name: copy_network(each).eval().requires_grad_(False) for name, each in networks.items()}
        self._measured_at = 0

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """The networks with mean weights, in evaluation mode, the generator's BatchNorm statistics as they are now."""
        if self._measured_at != self.updates:
            generator = self._means.get("generator")
            if generator is not None and self.noise is not None and _needs_only_labels(generator):
                self._measure(generator, self.noise)
            for name, mean in self._means.items():
                _settle(mean, self._followed[name])
            self._measured_at = self.updates
        return self._means

    @torch.no_grad()
    def update(self) -> None:
        """Take in weights and buffers."""
        self.updates += 1
        decay = min(self.decay, self.updates / (self.updates + self.power + 1))
        means, values = [], []
        for name, network in self._followed.items():
            for mean, value in zip(_tensors(self._means[name]), _tensors(network), strict=True):
                if mean.is_floating_point():
                    means.append(mean)
                    values.append(value)
                else:
                    mean.copy_(value)
        torch._foreach_lerp_(means, values, 1 - decay)

    def state_dict(self) -> dict[str, Any]:
        """Return the means and how many updates they have seen."""
        return {"networks": {name: mean.state_dict() for name, mean in self.networks.items()}, "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        for name, mean in self._means.items():
            mean.load_state_dict(state["networks"][name])
        self.updates = self._measured_at = int(state["updates"])

    @torch.no_grad()
    def _measure(self, generator: nn.Module, noise: Noise) -> None:
        """Give BatchNorm layers the statistics of the mean weights, the same for the same weights."""
        layers = [layer for layer in generator.modules() if isinstance(layer, _BatchNorm)]
        momenta = [layer.momentum for layer in layers]
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # a plain mean over the batches
            layer.train()
        random = torch.Generator(noise.device).manual_seed(0)
        num_classes = getattr(generator, "num_classes", None)
        for _ in range(max(1, _MEASURED // self.rows) if layers else 0):
            z = noise(self.rows, random)
            labels = None if num_classes is None else each_class_in_turn(num_classes, len(z), z.device)
            call_network(generator, z, labels=labels)
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
            layer.eval()


@torch.no_grad()
def _settle(mean: nn.Module, followed: nn.Module) -> None:
    """Let spectral norms of the mean weights find their singular vectors: a mean of others' is shorter than 1."""
    theirs = dict(followed.named_modules())
    for path, module in mean.named_modules():
        if is_parametrized(module):
            parametrizations, vectors = module.parametrizations, theirs[path].parametrizations.named_buffers()
            parametrizations.load_state_dict({**parametrizations.state_dict(), **dict(vectors)})
            parametrizations.train()
            for _ in range(_ITERATIONS):
                for name in parametrizations:
                    getattr(module, name)
            parametrizations.eval()


def _needs_only_labels(generator: nn.Module) -> bool:
    needed = {name for name, is_needed in inputs_of(generator).items() if is_needed}
    return not needed or (needed == {"labels"} and hasattr(generator, "num_classes"))


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]
