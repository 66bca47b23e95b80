"""What optimizers must do."""

from pathlib import Path

import torch
from torch import nn

from ganfw.testing.subject import Subject


def holds_the_parameters(subject: Subject, _folder: Path) -> None:
    """It is a torch optimizer of exactly the parameters that it is given."""
    experiment = subject.experiment()
    for name in ("generator", "discriminator"):
        optimizer = experiment.optimizers[name]
        is_optimizer = isinstance(optimizer, torch.optim.Optimizer)
        subject.require(is_optimizer, f"it must be a torch.optim.Optimizer, not {type(optimizer).__name__}")
        held = [id(parameter) for group in optimizer.param_groups for parameter in group["params"]]
        wanted = [id(parameter) for parameter in getattr(experiment, name).parameters()]
        subject.require(sorted(held) == sorted(wanted), "it does not hold each parameter that it is given once")


def descends(subject: Subject, _folder: Path) -> None:
    """It lowers a bowl: after some steps down the gradient of a square, the square is smaller."""
    weight = nn.Parameter(torch.linspace(-2, 2, 8))
    optimizer = subject.offer.build({"parameters": [weight]}, subject.parameters)
    before = float(weight.detach().square().sum())
    for _ in range(20):
        optimizer.zero_grad()
        weight.square().sum().backward()
        optimizer.step()
    after = float(weight.detach().square().sum())
    subject.require(after < before, f"20 steps down a square of {before:.6g} end at {after:.6g}")
