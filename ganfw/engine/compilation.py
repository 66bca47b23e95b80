"""Compile networks for training with torch.compile, where there is a compiler."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from ganfw.world import World


class CompiledForward:
    """A network's compiled forward pass, in the place of its own.

    Attributes:
        before: what the network itself had in this place: a forward pass of its own beside its class's, or None.
    """

    def __init__(self, network: nn.Module, mode: str | None) -> None:
        self.before: Callable[..., Any] | None = vars(network).get("forward")
        self._compiled = torch.compile(network.forward, dynamic=False, mode=mode)

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Run the compiled pass."""
        return self._compiled(*inputs, **options)


def why_not_compile(device: torch.device, world: World) -> str:
    """Return why torch.compile cannot be used, or `""`: on a device it is tried on a sum."""
    if world.size > 1:
        return "there are several processes"
    try:
        torch.compile(lambda x: x + 1)(torch.zeros(1, device=device))
    except Exception as error:  # every backend has errors of its own
        return f"torch.compile fails here: {error}".strip().partition("\n")[0]
    return ""


@contextlib.contextmanager
def compiled(device: torch.device, *networks: nn.Module) -> Iterator[None]:
    """Within the block, run the forward and backward passes of networks compiled; on CUDA also as CUDA graphs.

    A pass is compiled when it first sees a batch size, which takes seconds.
    """
    mode = "reduce-overhead" if device.type == "cuda" else None
    for network in networks:
        network.forward = CompiledForward(network, mode)
    try:
        yield
    finally:
        for network in networks:
            _put_back(network)


def is_compiled(network: nn.Module) -> bool:
    """Whether a network's forward pass is compiled."""
    return isinstance(vars(network).get("forward"), CompiledForward)


@contextlib.contextmanager
def as_written(network: nn.Module) -> Iterator[None]:
    """Within the block, run a network's forward pass as it was written, compiled or not."""
    if not is_compiled(network):
        yield
        return
    forward = _put_back(network)
    try:
        yield
    finally:
        network.forward = forward


def _put_back(network: nn.Module) -> CompiledForward:
    """Give a network its own forward pass again, and return the compiled one."""
    forward = vars(network).pop("forward")
    assert isinstance(forward, CompiledForward)
    if forward.before is not None:
        network.forward = forward.before
    return forward
