"""Steps of torch's optimizers with less around their kernels."""

import contextlib
from collections.abc import Iterator
from itertools import chain
from typing import Any

import torch
from torch.autograd import profiler
from torch.optim import Adam, AdamW, Optimizer
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

_HOOKED = Optimizer.profile_hook_step(lambda: None).__code__
"""What torch puts around the `step` that a class of optimizers has written."""


@contextlib.contextmanager
def lean_optimizers(*optimizers: Optimizer) -> Iterator[None]:
    """Within the block, let optimizers step without torch's bookkeeping; numbers, state and hooks are the same.

    In each step torch opens a region for a profiler, asks whether it is being compiled, and sorts the weights by
    device and type. None of it is long, but the step's large kernels have pushed its code out of the processor's
    caches. What is unusual goes torch's own way: a profiler, a closure, a gradient scaler, weights of several types.
    """
    given = []
    for optimizer in optimizers:
        for name, method in _lean_methods(optimizer).items():
            if name not in vars(optimizer):  # a scheduler of torch's wraps the step of an instance
                setattr(optimizer, name, method)
                given.append((optimizer, name, method))
    try:
        yield
    finally:
        for optimizer, name, method in given:
            if vars(optimizer).get(name) is method:
                delattr(optimizer, name)


def _lean_methods(optimizer: Any) -> dict[str, Any]:
    """Return what can stand in for the methods of an optimizer that a training step calls."""
    cls = type(optimizer)
    torch_step, torch_zero_grad = optimizer.step, optimizer.zero_grad
    update: Any = _update_fused_adam if cls in (Adam, AdamW) else getattr(cls.step, "__wrapped__", None)

    def step(*args: Any, **options: Any) -> Any:
        if profiler._is_profiler_enabled:
            return torch_step(*args, **options)
        args = (optimizer, *args)
        before = _global_optimizer_pre_hooks, optimizer._optimizer_step_pre_hooks
        after = optimizer._optimizer_step_post_hooks, _global_optimizer_post_hooks
        for hook in chain(*(hooks.values() for hooks in before)):
            args, options = hook(optimizer, args, options) or (args, options)
        value = update(*args, **options)
        for hook in chain(*(hooks.values() for hooks in after)):
            hook(optimizer, args, options)
        return value

    def zero_grad(set_to_none: bool = True) -> None:
        if not set_to_none or profiler._is_profiler_enabled:
            torch_zero_grad(set_to_none)
            return
        for group in optimizer.param_groups:
            for weight in group["params"]:
                weight.grad = None

    methods = {}
    if cls.step.__code__ is _HOOKED:
        methods["step"] = step
    if cls.zero_grad is Optimizer.zero_grad:
        methods["zero_grad"] = zero_grad
    return methods


def _update_fused_adam(optimizer: Any, closure: Any = None) -> Any:
    """Do what the `step` of Adam or AdamW does, without hooks; by the same kernel if nothing is unusual."""
    updates = []
    for group in optimizer.param_groups:
        weights = [weight for weight in group["params"] if weight.grad is not None]
        states = [optimizer.state[weight] for weight in weights]
        if not _is_plain(optimizer, group, weights, states) or closure is not None:
            return type(optimizer).step.__wrapped__(optimizer, closure)
        updates.append((group, weights, states))
    with torch.no_grad():
        for group, weights, states in updates:
            steps = [state["step"] for state in states]
            torch._foreach_add_(steps, 1)
            kernel = torch._fused_adamw_ if group["decoupled_weight_decay"] else torch._fused_adam_
            kernel(
                weights,
                [weight.grad for weight in weights],
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
    return None


def _is_plain(optimizer: Any, group: Any, weights: Any, states: Any) -> bool:
    """Whether one call of the fused kernel updates the weights of a group, which have gradients."""
    return (
        bool(weights)
        and all(states)  # there from the second step on
        and group["fused"]
        and isinstance(group["lr"], float)
        and not any(isinstance(beta, torch.Tensor) for beta in group["betas"])
        and len({(weight.device, weight.dtype) for weight in weights}) == 1
        and not any(weight.grad.is_sparse for weight in weights)
        and getattr(optimizer, "found_inf", None) is None
        and getattr(optimizer, "grad_scale", None) is None
    )
