"""Number formats of the training step: float32, or bfloat16 products with float32 weights and losses."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ganfw.errors import InputError

Precision = Literal["fp32", "bf16"]


def require_precision(precision: Precision, device: torch.device) -> None:
    """Make sure that a device computes in a precision by itself; an emulation would be slower than float32.

    Raises:
        InputError: it does not.
    """
    if precision == "fp32":
        return
    if device.type == "cuda":
        able = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
        able = any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    else:
        able = False
    if not able:
        raise InputError(f'run.precision = "bf16": {device} has no bfloat16 arithmetic; use "fp32"')


@contextlib.contextmanager
def computing_in(precision: Precision, device: torch.device, *networks: nn.Module) -> Iterator[None]:
    """Within the block, let training passes of networks compute in a precision.

    With `"bf16"` each forward pass in training mode runs under autocast: matrix products and convolutions in
    bfloat16, reductions such as batch statistics in float32. Weights stay in float32 and get float32 gradients, and
    outputs are float32, so that losses and updates are as they were. Evaluation mode stays in float32: samples are
    those that a checkpoint gives anywhere. Source: Micikevicius et al., "Mixed Precision Training", 2018, section 3.
    """
    replaced = [(network, vars(network).get("forward")) for network in networks if precision == "bf16"]
    for network, _ in replaced:
        network.forward = partial(_mixed, network, network.forward, device.type)  # a copy of it calls its own copy
    try:
        yield
    finally:
        for network, forward in replaced:
            del network.forward
            if forward is not None:
                network.forward = forward


def _mixed(network: nn.Module, forward: Callable[..., Any], device_type: str, *inputs: Any, **options: Any) -> Any:
    """Do a forward pass, in training mode under autocast."""
    if not network.training:
        return forward(*inputs, **options)
    with torch.autocast(device_type, torch.bfloat16):
        outputs = forward(*inputs, **options)
    return _as_float32(outputs)


def _as_float32(outputs: Any) -> Any:
    if isinstance(outputs, Mapping):
        return {name: _as_float32(output) for name, output in outputs.items()}
    return outputs.float() if isinstance(outputs, Tensor) and outputs.is_floating_point() else outputs
