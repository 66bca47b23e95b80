"""BatchNorm over the rows of all processes, on any device; torch's own SyncBatchNorm runs on GPUs only."""

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ganfw.distributed.process_group import ProcessGroup

_OWN_FORWARDS = tuple(layer.forward for layer in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d))


@contextlib.contextmanager
def synchronised_batch_norm(processes: ProcessGroup, *networks: nn.Module) -> Iterator[None]:
    """Within the block, let BatchNorm layers in training mode normalise over the whole batch, not a process's rows.

    Only torch's own forward pass is replaced: a layer whose class or instance has one of its own keeps it.
    """
    modules = {id(module): module for network in networks for module in network.modules()}.values()
    layers = [
        module
        for module in modules
        if processes.size > 1 and type(module).forward in _OWN_FORWARDS and "forward" not in vars(module)
    ]
    for layer in layers:
        layer.forward = partial(_normalise, layer, processes)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _normalise(layer: Any, processes: ProcessGroup, x: Tensor) -> Tensor:
    """Do what `layer` does (Ioffe and Szegedy, "Batch Normalization", 2015, algorithm 1) over all processes."""
    if not layer.training:
        unsynchronised: Tensor = type(layer).forward(layer, x)
        return unsynchronised
    dims = [dim for dim in range(x.ndim) if dim != 1]
    shape = [1, -1] + [1] * (x.ndim - 2)
    values = x.float()
    count = _Sum.apply(values.new_tensor(values.numel() / values.shape[1]), processes)
    mean = _Sum.apply(values.sum(dims), processes) / count
    centred = values - mean.view(shape)
    variance = _Sum.apply(centred.square().sum(dims), processes) / count
    if layer.running_mean is not None:
        layer.num_batches_tracked.add_(1)
        momentum = 1 / float(layer.num_batches_tracked) if layer.momentum is None else layer.momentum
        layer.running_mean.lerp_(mean.detach(), momentum)
        layer.running_var.lerp_((variance * count / (count - 1)).detach(), momentum)
    y = centred * torch.rsqrt(variance + layer.eps).view(shape)
    if layer.affine:
        y = y * layer.weight.view(shape) + layer.bias.view(shape)
    normalised: Tensor = y.to(x.dtype)
    return normalised


class _Sum(torch.autograd.Function):
    """The sum over all processes; its gradient is the mean of theirs over all rows, as that of the weights will be.

    It can be differentiated any number of times.
    """

    @staticmethod
    def forward(ctx: Any, value: Tensor, processes: ProcessGroup) -> Tensor:
        ctx.processes = processes
        total = value.clone()
        processes.add_up([total])
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        weight = ctx.processes.weight
        return _Sum.apply(gradient * weight, ctx.processes) / weight, None
