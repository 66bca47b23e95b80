"""Gradients of a loss, and their way to an optimizer."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from ganfw.distributed.process_group import ProcessGroup
from ganfw.engine.compilation import differentiate


def update(
    optimizer: Optimizer, loss_of: Callable[..., Tensor], inputs: Sequence[Any], *, compile_blocker: str = ""
) -> Tensor:
    """Let an optimizer step on the gradients of a loss by its weights; no other gradients are computed.

    Args:
        optimizer: of weights that the loss depends on.
        loss_of: returns the loss, a scalar, from the inputs; the same in each step, for with `run.compile` it is
            compiled together with its gradients. Then random numbers are best drawn outside.
        inputs: given to `loss_of`; the first tensor among them has as many rows as the batch.
        compile_blocker: why this loss cannot be compiled, if it cannot; the user is told once.

    Returns:
        The loss, detached.
    """
    weights = [weight for group in optimizer.param_groups for weight in group["params"] if weight.requires_grad]
    optimizer.zero_grad()
    loss = differentiate(loss_of, weights, inputs, compile_blocker)
    optimizer.step()
    return loss


@contextlib.contextmanager
def averaged_gradients(world: ProcessGroup, *optimizers: Optimizer) -> Iterator[None]:
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
