"""How a network is called: with the inputs that it names, giving outputs by name."""

import contextlib
import copy
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy as is_uninitialised

from ganfw.engine.random_streams import own_randomness
from ganfw.errors import PartError

_ROWS = 4
_inputs: dict[Callable[..., Any], Mapping[str, bool]] = {}  # not functools.cache, of which a compiler warns


def inputs_of(network: nn.Module | type[nn.Module]) -> Mapping[str, bool]:
    """Return what a network, or a class of networks, takes by name, and whether it must have it.

    These are the parameters of its `forward` after the first, which is its input.
    """
    forward = (network if isinstance(network, type) else type(network)).forward
    if forward not in _inputs:
        further = list(inspect.signature(forward).parameters.values())[2:]  # after self and the input
        named = [each for each in further if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
        _inputs[forward] = {each.name: each.default is each.empty for each in named}
    return _inputs[forward]


def call_network(network: nn.Module, first: Tensor, /, **named: Tensor | None) -> Any:
    """Call a network with its first input, and with those of the others that its `forward` names.

    Args:
        network: any module.
        first: `(n, ...)` float32, what its first parameter takes: noise, samples, features.
        **named: what there is besides, rows of n each; None where there is none.

    Returns:
        What the network returns: a tensor, or a mapping of tensors by name.

    Raises:
        PartError: its `forward` needs an input that is not among these.
    """
    given = {}
    for name, required in inputs_of(network).items():
        value = named.get(name)
        if value is not None:
            given[name] = value
        elif required:
            there = ", ".join(name for name, value in named.items() if value is not None) or "nothing else"
            raise PartError(
                f"network {type(network).__name__} asks for '{name}', but here it is given {there}; "
                "give the parameter a default"
            )
    return network(first, **given)


def outputs_of(returned: Any) -> Mapping[str, Tensor]:
    """Return what a discriminator gave, by name; a single tensor is its `logits`, `(n, 1, ...)` float32."""
    return returned if isinstance(returned, Mapping) else {"logits": returned}


@contextlib.contextmanager
def evaluation_mode(*networks: nn.Module) -> Iterator[None]:
    """Run a block with networks in evaluation mode, and put every module back into its own mode afterwards.

    With BatchNorm in training mode a scaled noise would be normalised away, and truncation would do nothing.
    """
    modes = [(module, module.training) for network in networks for module in network.modules()]
    for network in networks:
        network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def copy_network(network: nn.Module) -> nn.Module:
    """Return a copy of a network, with weights and buffers of its own.

    `copy.deepcopy` refuses what hangs on a graph, such as the weight that `torch.nn.utils.weight_norm` works out before
    each pass; the copy has its value, and works it out again.
    """
    worked_out = {
        id(value): value.detach().clone()
        for module in network.modules()
        for value in vars(module).values()
        if isinstance(value, Tensor) and not value.is_leaf
    }
    return copy.deepcopy(network, worked_out)


def is_lazy(network: nn.Module) -> bool:
    """Whether a network has layers that find their sizes out in their first pass, and have not yet."""
    return any(is_uninitialised(tensor) for tensor in (*network.parameters(), *network.buffers()))


def buffers_of(*networks: nn.Module) -> list[tuple[nn.Module, str, Tensor]]:
    """Return each buffer with its module and its name there, for a pass may put another tensor in its place."""
    modules = {id(module): module for network in networks for module in network.modules()}.values()
    return [(module, name, buffer) for module in modules for name, buffer in module.named_buffers(recurse=False)]


@torch.no_grad()
def treats_rows_independently(network: nn.Module, samples: Tensor, /, **named: Tensor | None) -> bool:
    """Return whether one pass over two batches gives what a pass over each would.

    It does where no layer mixes the batch (BatchNorm and minibatch statistics do) and no pass leaves a trace
    (running means, the power iteration of spectral normalisation). Found out by trying: the network sees the same
    rows twice, among other neighbours. It is left as it was, and so are the global random generators.

    Args:
        network: in the mode it will be used in.
        samples: `(n, *sample_shape)` float32, n >= 1; what it will be used on.
        **named: further inputs, n rows each, for a network that names them.
    """
    rows = samples[:_ROWS]
    others = {name: torch.cat([value[:_ROWS]] * 2) for name, value in named.items() if value is not None}
    results: list[list[Tensor]] = []
    buffers = buffers_of(network)
    before = [(buffer.clone(), buffer._version) for _, _, buffer in buffers]
    for neighbours in (torch.zeros_like(rows), torch.ones_like(rows)):
        with own_randomness(0, samples.device):
            returned = call_network(network, torch.cat([rows, neighbours]), **others)
            results.append([output[: len(rows)] for output in outputs_of(returned).values()])
    left_a_trace = False
    for (module, name, buffer), (value, version) in zip(buffers, before, strict=True):
        # Batch normalisation does not count as a version, and a power iteration may come out where it started.
        is_same = getattr(module, name) is buffer and buffer._version == version
        left_a_trace |= not is_same or not torch.equal(buffer, value)
        setattr(module, name, buffer.copy_(value))
    return not left_a_trace and all(map(torch.equal, *results))
