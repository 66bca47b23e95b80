"""What optimizers must do."""

from typing import Any

import torch
from torch import nn

from ganfw.testing.subject import Subject


def holds_the_parameters(subject: Subject) -> None:
    """It is a torch optimizer that holds each parameter that it is given once."""
    parameters = [nn.Parameter(torch.zeros(2, device=subject.device)) for _ in range(3)]
    optimizer = _build(subject, parameters)
    is_optimizer = isinstance(optimizer, torch.optim.Optimizer)
    assert is_optimizer, f"it must be a torch.optim.Optimizer, not {type(optimizer).__name__}"
    held = [id(parameter) for group in optimizer.param_groups for parameter in group["params"]]
    assert sorted(held) == sorted(map(id, parameters)), "it does not hold each parameter that it is given once"


def descends(subject: Subject) -> None:
    """It lowers a bowl: after some steps down the gradient of a square, the square is smaller."""
    weight = nn.Parameter(torch.linspace(-2, 2, 8, device=subject.device))
    optimizer = _build(subject, [weight])
    before = float(weight.detach().square().sum())
    for _ in range(20):
        optimizer.zero_grad()
        weight.square().sum().backward()
        optimizer.step()
    after = float(weight.detach().square().sum())
    assert after < before, f"20 steps down a square of {before:.6g} end at {after:.6g}"


def _build(subject: Subject, parameters: list[nn.Parameter]) -> Any:
    context = {"parameters": parameters, "seed": 0, "device": subject.device}
    return subject.registered.build(context, subject.parameters)
