"""Gradients over the rows of all processes."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch.optim import Optimizer

from ganfw.world import World


@contextlib.contextmanager
def averaged_gradients(world: World, *optimizers: Optimizer) -> Iterator[None]:
    """Within the block, let each optimizer step on the mean gradient over the rows of all processes.

    The exchange comes right before the optimizer's step, whatever passes and losses the gradients came from.
    """

    def average(optimizer: Optimizer, *_: Any) -> None:
        gradients = [
            weight.grad for group in optimizer.param_groups for weight in group["params"] if weight.grad is not None
        ]
        if gradients:
            torch._foreach_mul_(gradients, world.weight)
            world.add_up(gradients)

    handles = [optimizer.register_step_pre_hook(average) for optimizer in optimizers if world.size > 1]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
