"""What a network does with a batch."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ganfw.engine.random_streams import own_randomness

_ROWS = 4
_has_labels: dict[Callable[..., Any], bool] = {}  # not functools.cache, of which a compiler warns


def takes_labels(network: nn.Module | type[nn.Module]) -> bool:
    """Whether a network, or a class of such, is conditional: whether its `forward` has a parameter `labels`."""
    forward = (network if isinstance(network, type) else type(network)).forward
    if forward not in _has_labels:
        _has_labels[forward] = "labels" in inspect.signature(forward).parameters
    return _has_labels[forward]


def call_with_labels(network: nn.Module, inputs: Tensor, labels: Tensor | None) -> Tensor:
    """Call a network on `(n, ...)` inputs, with `(n,)` int64 labels if it is conditional."""
    outputs: Tensor = network(inputs, labels) if takes_labels(network) else network(inputs)
    return outputs


@torch.no_grad()
def treats_rows_alone(network: nn.Module, samples: Tensor, labels: Tensor | None = None) -> bool:
    """Return whether one pass over two batches gives what a pass over each would.

    It does where no layer mixes the batch (BatchNorm and minibatch statistics do) and no pass leaves a trace
    (running means, the power iteration of spectral normalisation). Found out by trying: the network sees the same
    rows twice, among other neighbours. It is left as it was, and so are the global random generators.

    Args:
        network: in the mode it will be used in.
        samples: `(n, *sample_shape)` float32, n >= 1; what it will be used on.
        labels: `(n,)` int64, for a conditional network.
    """
    rows = samples[:_ROWS]
    classes = None if labels is None else torch.cat([labels[:_ROWS], labels[:_ROWS]])
    outputs = []
    before = [(buffer, buffer.clone(), buffer._version) for buffer in network.buffers()]
    for neighbours in (torch.zeros_like(rows), torch.ones_like(rows)):
        with own_randomness(0, samples.device):
            outputs.append(call_with_labels(network, torch.cat([rows, neighbours]), classes)[: len(rows)])
    left_a_trace = False
    for buffer, value, version in before:
        # Batch normalisation does not count as a version, and a power iteration may come out where it started.
        left_a_trace |= buffer._version != version or not torch.equal(buffer, value)
        buffer.copy_(value)
    return not left_a_trace and torch.equal(*outputs)
