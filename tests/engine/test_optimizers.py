import copy
import importlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn, optim
from torch.nn import Parameter
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from ganfw.engine.optimizers import step_optimizer

Make = Callable[[list[Parameter]], optim.Optimizer]


class SignDescent(optim.Optimizer):
    """An optimizer as a plugin would write it."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, {"lr": 0.1})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    weight -= group["lr"] * weight.grad.sign()


def two_rates(weights: list[Parameter]) -> optim.Optimizer:
    return optim.Adam([{"params": weights[:2]}, {"params": weights[2:], "lr": 0.3}], fused=True)


OPTIMIZERS: dict[str, Make] = {
    "fused Adam": lambda weights: optim.Adam(weights, lr=0.1, betas=(0.5, 0.9), fused=True),
    "fused AdamW": lambda weights: optim.AdamW(weights, lr=0.1, fused=True),
    "Adam with decay": lambda weights: optim.Adam(weights, lr=0.1, weight_decay=0.1, fused=True),
    "maximizing": lambda weights: optim.Adam(weights, lr=0.1, maximize=True, fused=True),
    "amsgrad": lambda weights: optim.Adam(weights, lr=0.1, amsgrad=True, fused=True),
    "two rates": two_rates,
    "a rate in a tensor": lambda weights: optim.Adam(weights, lr=torch.tensor(0.1), fused=True),
    "Adam that is not fused": lambda weights: optim.Adam(weights, lr=0.1),
    "RMSprop": lambda weights: optim.RMSprop(weights, lr=0.1),
    "SGD": lambda weights: optim.SGD(weights, lr=0.1, momentum=0.9, fused=True),
    "one of a plugin": SignDescent,
}


def some_weights(dtype: torch.dtype = torch.float32) -> list[Parameter]:
    random = torch.Generator().manual_seed(0)
    return [Parameter(torch.randn(shape, generator=random).to(dtype)) for shape in ((3, 4), (4,), (2, 3), (1,))]


def set_gradients(optimizer: optim.Optimizer, step: int) -> None:
    """Set gradients; from the second step on, the last weight of a group gets none."""
    random = torch.Generator().manual_seed(step)
    for group in optimizer.param_groups:
        for weight in group["params"][: None if step == 0 else -1]:
            weight.grad = torch.randn(weight.shape, generator=random).to(weight.dtype)


def theirs_by_step(optimizer: optim.Optimizer) -> None:
    optimizer.step()


def steps(optimizer: optim.Optimizer, numbers: range, step_once: Callable[[Any], None] = theirs_by_step) -> None:
    for step in numbers:
        optimizer.zero_grad()
        set_gradients(optimizer, step)
        step_once(optimizer)


def assert_equal(left: optim.Optimizer, right: optim.Optimizer) -> None:
    for ours, theirs in zip(left.param_groups, right.param_groups, strict=True):
        for mine, other in zip(ours["params"], theirs["params"], strict=True):
            assert torch.equal(mine, other)
    mine, other = left.state_dict()["state"], right.state_dict()["state"]
    assert mine.keys() == other.keys()
    for key, state in mine.items():
        assert state.keys() == other[key].keys()
        for name, value in state.items():
            torch.testing.assert_close(value, other[key][name], rtol=0, atol=0)


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
def test_numbers_and_state_are_those_of_torch(make: Make) -> None:
    ours, theirs = make(some_weights()), make(some_weights())
    steps(theirs, range(4))
    steps(ours, range(4), step_optimizer)
    assert_equal(ours, theirs)


def test_weights_of_two_types_are_updated() -> None:
    def make() -> optim.Optimizer:
        return optim.Adam([*some_weights(), *some_weights(torch.float64)], lr=0.1, fused=True)

    ours, theirs = make(), make()
    steps(theirs, range(3))
    steps(ours, range(3), step_optimizer)
    assert_equal(ours, theirs)


def test_a_rate_that_changes_and_a_state_that_is_loaded_count() -> None:
    ours, theirs, earlier = (optim.Adam(some_weights(), lr=0.1, fused=True) for _ in range(3))
    steps(earlier, range(7, 9))

    def train(optimizer: optim.Optimizer, step_once: Callable[[Any], None]) -> None:
        steps(optimizer, range(2), step_once)
        optimizer.load_state_dict(copy.deepcopy(earlier.state_dict()))
        optimizer.param_groups[0]["lr"] = 0.01
        steps(optimizer, range(2, 4), step_once)

    train(theirs, theirs_by_step)
    train(ours, step_optimizer)
    assert_equal(ours, theirs)


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
def test_hooks_are_called_as_torch_calls_them(make: Make) -> None:
    def heard(optimizer: optim.Optimizer, step_once: Callable[[Any], None]) -> list[tuple[str, int, dict[str, Any]]]:
        calls: list[tuple[str, int, dict[str, Any]]] = []

        def listen(name: str) -> Callable[..., None]:
            return lambda who, args, options: calls.append((name, len(args), options))

        handles = [
            optimizer.register_step_pre_hook(listen("before")),
            optimizer.register_step_post_hook(listen("after")),
            register_optimizer_step_pre_hook(listen("before any")),
            register_optimizer_step_post_hook(listen("after any")),
        ]
        steps(optimizer, range(2), step_once)
        for handle in handles:
            handle.remove()
        return calls

    expected = heard(make(some_weights()), theirs_by_step)
    assert heard(make(some_weights()), step_optimizer) == expected
    assert len(expected) == 8


def test_a_plain_step_does_not_look_the_group_through(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Any] = []
    look = optim.Adam._init_group
    monkeypatch.setattr(optim.Adam, "_init_group", lambda *args: (looked.append(args), look(*args))[1])
    optimizer = optim.Adam(some_weights(), lr=0.1, fused=True)
    steps(optimizer, range(4), step_optimizer)

    assert len(looked) == 1  # in the first step, which makes the state


def test_a_profiler_sees_torchs_regions() -> None:
    optimizer = optim.Adam(some_weights(), lr=0.1, fused=True)
    with torch.profiler.profile() as profile:
        steps(optimizer, range(2), step_optimizer)
    regions = [event.count for event in profile.key_averages() if event.key == "Optimizer.step#Adam.step"]
    assert regions == [2]


def test_an_update_that_a_gradient_scaler_calls_off_is_not_done() -> None:
    optimizer: Any = optim.Adam(some_weights(), lr=0.1, fused=True)
    steps(optimizer, range(1), step_optimizer)
    before = [weight.clone() for weight in optimizer.param_groups[0]["params"]]
    set_gradients(optimizer, 0)
    optimizer.grad_scale, optimizer.found_inf = torch.ones(()), torch.ones(())
    step_optimizer(optimizer)
    assert all(map(torch.equal, before, optimizer.param_groups[0]["params"]))


def test_sparse_gradients_are_refused_as_torch_refuses_them() -> None:
    words = nn.Embedding(4, 2, sparse=True)
    optimizer = optim.Adam(words.parameters(), fused=True)
    words.weight.grad = torch.ones(4, 2)
    step_optimizer(optimizer)
    optimizer.zero_grad()
    words(torch.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match="sparse"):
        step_optimizer(optimizer)


def test_a_step_that_a_scheduler_of_torch_watches_is_left_to_it() -> None:
    optimizer = optim.Adam(some_weights(), fused=True)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 1)
    steps(optimizer, range(2), step_optimizer)
    scheduler.step()  # which would warn that it saw no step


PRIVATE_NAMES: list[tuple[Any, str]] = [
    (torch, "_fused_adam_"),
    (torch, "_fused_adamw_"),
    (torch, "_foreach_add_"),
    (importlib.import_module("torch.optim.optimizer"), "_global_optimizer_pre_hooks"),
    (importlib.import_module("torch.optim.optimizer"), "_global_optimizer_post_hooks"),
    (torch.autograd.profiler, "_is_profiler_enabled"),
    (None, "_optimizer_step_pre_hooks"),
    (None, "_optimizer_step_post_hooks"),
]
"""What is private in torch and used here, and where it is; None for the optimizer itself."""


@pytest.mark.parametrize(("owner", "name"), PRIVATE_NAMES, ids=[name for _, name in PRIVATE_NAMES])
@pytest.mark.parametrize("kind", [optim.Adam, optim.AdamW])
def test_without_a_private_name_torchs_own_step_runs(
    kind: Any, owner: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_steps: list[Any] = []
    ours, theirs = (kind(some_weights(), lr=0.1, fused=True) for _ in range(2))
    for optimizer in (ours, theirs):
        steps(optimizer, range(2))
    numbers = [weight.clone() for weight in ours.param_groups[0]["params"]]
    set_gradients(ours, 0)

    with monkeypatch.context() as patch:
        patch.setattr(kind, "step", lambda self: own_steps.append(self))
        step_optimizer(ours)
        assert own_steps == []  # with every name there
    for weight, number in zip(ours.param_groups[0]["params"], numbers, strict=True):
        assert not torch.equal(weight, number)

    with monkeypatch.context() as patch:
        patch.setattr(kind, "step", lambda self: own_steps.append(self))
        patch.delattr(ours if owner is None else owner, name)
        step_optimizer(ours)
    assert own_steps == [ours]


def test_the_step_that_runs_then_gives_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = (optim.Adam(some_weights(), lr=0.1, fused=True) for _ in range(2))
    steps(theirs, range(4))
    steps(ours, range(2), step_optimizer)
    monkeypatch.delattr(torch.autograd.profiler, "_is_profiler_enabled")
    steps(ours, range(2, 4), step_optimizer)
    assert_equal(ours, theirs)
