"""One step of an optimizer, with less around the kernel where it is torch's fused Adam.

In each step torch asks whether it is being compiled and sorts the weights by device and type. None of it is long, but
the step's large kernels have pushed its code out of the processor's caches: on an AMD EPYC the step of the reference
GAN takes 1.06 of the time with it. It stands on private names of torch; where one is missing, or anything is unusual,
torch's own step runs. docs/performance.md lists them.
"""

import importlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Adam, AdamW, Optimizer

from ganfw.engine.regions import is_recording

_HOOKS = ("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks")
_GLOBAL_HOOKS = ("_global_optimizer_pre_hooks", "_global_optimizer_post_hooks")
_OPERATORS = ("_foreach_add_", "_fused_adam_", "_fused_adamw_")
_UNKNOWN = object()
_torch_optimizer = importlib.import_module(Optimizer.__module__)


def step_optimizer(optimizer: Optimizer) -> None:
    """Do what `optimizer.step()` does, the same numbers, state and hooks."""
    groups = _plain_groups(optimizer)
    if groups is None:
        optimizer.step()
        return
    with torch.no_grad():
        for group, weights, states in groups:
            _update_fused(group, weights, states)


def _plain_groups(optimizer: Any) -> Sequence[tuple[Any, list[Tensor], list[Any]]] | None:
    """Return each group with its weights and their states, or None where torch's own step has to run."""
    if type(optimizer) not in (Adam, AdamW) or "step" in vars(optimizer) or is_recording():
        return None
    hooks = [getattr(optimizer, name, _UNKNOWN) for name in _HOOKS]
    hooks += [getattr(_torch_optimizer, name, _UNKNOWN) for name in _GLOBAL_HOOKS]
    if any(hooks) or not all(hasattr(torch, name) for name in _OPERATORS):
        return None
    found = []
    for group in optimizer.param_groups:
        weights = [weight for weight in group["params"] if weight.grad is not None]
        states = [optimizer.state[weight] for weight in weights]
        if not _is_plain(optimizer, group, weights, states):
            return None
        found.append((group, weights, states))
    return found


def _is_plain(optimizer: Any, group: Any, weights: list[Tensor], states: list[Any]) -> bool:
    """Whether one call of the fused kernel updates the weights of a group, which have gradients."""
    return (
        bool(weights)
        and all(states)  # there from the second step on
        and group["fused"]
        and isinstance(group["lr"], float)
        and not any(isinstance(beta, Tensor) for beta in group["betas"])
        and len({(weight.device, weight.dtype) for weight in weights}) == 1
        and not any(weight.grad.is_sparse for weight in weights if weight.grad is not None)
        and getattr(optimizer, "found_inf", None) is None
        and getattr(optimizer, "grad_scale", None) is None
    )


def _update_fused(group: Any, weights: list[Tensor], states: list[Any]) -> None:
    steps = [state["step"] for state in states]
    torch._foreach_add_(steps, 1)
    kernel = torch._fused_adamw_ if group["decoupled_weight_decay"] else torch._fused_adam_
    kernel(
        weights,
        [weight.grad for weight in weights],  # type: ignore[misc]  # all have one
        [state["exp_avg"] for state in states],
        [state["exp_avg_sq"] for state in states],
        [state["max_exp_avg_sq"] for state in states] if group["amsgrad"] else [],
        steps,
        lr=group["lr"],
        beta1=group["betas"][0],
        beta2=group["betas"][1],
        weight_decay=group["weight_decay"],
        eps=group["eps"],
        amsgrad=group["amsgrad"],
        maximize=group["maximize"],
    )
