"""Saved state of optimizers against what a step leaves; how forged checkpoints meet it is in test_malicious.py."""

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import Optimizer

from ganfw import Registry, RunError
from ganfw.training.optimizer_state import check_optimizer_state

VARIANTS: dict[str, dict[str, Any]] = {
    "adam": {},
    "adamw": {"amsgrad": True},
    "sgd": {"momentum": 0.9, "nesterov": True},
    "rmsprop": {"momentum": 0.5, "centered": True},
}


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))


def train(optimizer: Optimizer, steps: int) -> None:
    for _ in range(steps):
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = torch.ones_like(parameter)
        optimizer.step()


def tensors_in(state: dict[str, Any]) -> list[tuple[int, str]]:
    return [(index, key) for index in state["state"] for key, value in state["state"][index].items() if value.numel()]


@pytest.mark.parametrize("name", VARIANTS)
def test_state_of_the_same_optimizer_fits_at_any_time_and_rate(registry: Registry, name: str) -> None:
    build = registry.load("optimizer", name)
    optimizer = build(list(network().parameters()), **VARIANTS[name])
    fresh = build(list(network().parameters()), **VARIANTS[name])

    for _ in range(3):
        check_optimizer_state("x", fresh, optimizer.state_dict())
        check_optimizer_state("x", optimizer, optimizer.state_dict())
        train(optimizer, 2)
        optimizer.param_groups[0]["lr"] /= 2

    assert fresh.state_dict()["state"] == {}
    assert all(weight.grad is None for weight in fresh.param_groups[0]["params"])


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_each_tensor_that_a_fused_kernel_reads_has_its_shape_and_dtype(registry: Registry, name: str) -> None:
    optimizer = registry.load("optimizer", name)(list(network().parameters()), **VARIANTS[name])
    assert optimizer.param_groups[0]["fused"]
    train(optimizer, 1)
    found = tensors_in(optimizer.state_dict())
    assert len(found) >= 6

    for index, key in found:
        right = optimizer.state_dict()["state"][index][key]
        for wrong in (torch.zeros(0), torch.zeros(2, *right.shape), right.double()):
            state = copy.deepcopy(optimizer.state_dict())
            state["state"][index][key] = wrong
            with pytest.raises(RunError) as caught:
                check_optimizer_state("optimizer.generator", optimizer, state)
            expected = f"the state of 'optimizer.generator' does not fit its parameter {index}"
            assert str(caught.value) == expected, (key, wrong)


def test_a_switch_that_a_former_torch_did_not_know_may_be_missing_and_a_number_may_not() -> None:
    optimizer = torch.optim.Adam([nn.Parameter(torch.zeros(2))])
    state = optimizer.state_dict()
    del state["param_groups"][0]["decoupled_weight_decay"]
    check_optimizer_state("x", optimizer, state)

    del state["param_groups"][0]["lr"]
    with pytest.raises(RunError) as caught:
        check_optimizer_state("x", optimizer, state)
    assert str(caught.value) == "the state of 'x' is of an optimizer with other options"


@pytest.mark.parametrize("state", [{"anything": 1}, {"param_groups": [], "state": {}}, None, []])
def test_state_of_no_optimizer_is_refused(state: Any) -> None:
    with pytest.raises(RunError) as caught:
        check_optimizer_state("x", torch.optim.LBFGS([nn.Parameter(torch.zeros(2))]), state)
    assert str(caught.value) == "the state of 'x' is not of this optimizer"
