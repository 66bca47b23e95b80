import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim
from torch.nn import Parameter
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from ganfw.engine.optimizers import lean_optimizers

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


def steps(optimizer: optim.Optimizer, numbers: range) -> None:
    for step in numbers:
        optimizer.zero_grad()
        set_gradients(optimizer, step)
        optimizer.step()


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
    with lean_optimizers(ours):
        steps(ours, range(4))
    assert_equal(ours, theirs)


def test_weights_of_two_types_are_updated() -> None:
    def make() -> optim.Optimizer:
        return optim.Adam([*some_weights(), *some_weights(torch.float64)], lr=0.1, fused=True)

    ours, theirs = make(), make()
    steps(theirs, range(3))
    with lean_optimizers(ours):
        steps(ours, range(3))
    assert_equal(ours, theirs)


def test_a_rate_that_changes_and_a_state_that_is_loaded_count() -> None:
    ours, theirs, earlier = (optim.Adam(some_weights(), lr=0.1, fused=True) for _ in range(3))
    steps(earlier, range(7, 9))

    def train(optimizer: optim.Optimizer) -> None:
        steps(optimizer, range(2))
        optimizer.load_state_dict(copy.deepcopy(earlier.state_dict()))
        optimizer.param_groups[0]["lr"] = 0.01
        steps(optimizer, range(2, 4))

    train(theirs)
    with lean_optimizers(ours):
        train(ours)
    assert_equal(ours, theirs)


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
def test_hooks_are_called_as_torch_calls_them(make: Make) -> None:
    def heard(optimizer: optim.Optimizer) -> list[tuple[str, int, dict[str, Any]]]:
        calls: list[tuple[str, int, dict[str, Any]]] = []

        def listen(name: str) -> Callable[..., None]:
            return lambda who, args, options: calls.append((name, len(args), options))

        handles = [
            optimizer.register_step_pre_hook(listen("before")),
            optimizer.register_step_post_hook(listen("after")),
            register_optimizer_step_pre_hook(listen("before any")),
            register_optimizer_step_post_hook(listen("after any")),
        ]
        steps(optimizer, range(2))
        for handle in handles:
            handle.remove()
        return calls

    expected = heard(make(some_weights()))
    ours = make(some_weights())
    with lean_optimizers(ours):
        assert heard(ours) == expected
    assert len(expected) == 8


def test_a_hook_may_put_a_closure_in() -> None:
    optimizer = optim.Adam(some_weights(), lr=0.1, fused=True)
    optimizer.register_step_pre_hook(lambda who, args, options: ((who, lambda: 7.0), options))
    with lean_optimizers(optimizer):
        set_gradients(optimizer, 0)
        assert optimizer.step() == 7.0


def test_a_plain_step_does_not_look_the_group_through(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Any] = []
    look = optim.Adam._init_group
    monkeypatch.setattr(optim.Adam, "_init_group", lambda *args: (looked.append(args), look(*args))[1])
    optimizer = optim.Adam(some_weights(), lr=0.1, fused=True)
    with lean_optimizers(optimizer):
        steps(optimizer, range(1))
        first = len(looked)
        for step in range(1, 4):
            set_gradients(optimizer, 0)
            optimizer.step()
            assert len(looked) == first, step
    assert first == 1


def test_a_profiler_sees_torchs_regions() -> None:
    optimizer = optim.Adam(some_weights(), lr=0.1, fused=True)
    with lean_optimizers(optimizer), torch.profiler.profile() as profile:
        steps(optimizer, range(2))
    names = {event.key for event in profile.key_averages()}
    assert {"Optimizer.step#Adam.step", "Optimizer.zero_grad#Adam.zero_grad"} <= names


def test_an_update_that_a_gradient_scaler_calls_off_is_not_done() -> None:
    optimizer: Any = optim.Adam(some_weights(), lr=0.1, fused=True)
    with lean_optimizers(optimizer):
        steps(optimizer, range(1))
        before = [weight.clone() for weight in optimizer.param_groups[0]["params"]]
        set_gradients(optimizer, 0)
        optimizer.grad_scale, optimizer.found_inf = torch.ones(()), torch.ones(())
        optimizer.step()
    assert all(map(torch.equal, before, optimizer.param_groups[0]["params"]))


def test_sparse_gradients_are_refused_as_torch_refuses_them() -> None:
    words = nn.Embedding(4, 2, sparse=True)
    optimizer = optim.Adam(words.parameters(), fused=True)
    with lean_optimizers(optimizer):
        words.weight.grad = torch.ones(4, 2)
        optimizer.step()
        optimizer.zero_grad()
        words(torch.tensor([1])).sum().backward()
        with pytest.raises(RuntimeError, match="sparse"):
            optimizer.step()


def test_zeroing_in_place_keeps_gradients() -> None:
    optimizer = optim.SGD(some_weights(), lr=0.1)
    with lean_optimizers(optimizer):
        set_gradients(optimizer, 0)
        optimizer.zero_grad(set_to_none=False)
    gradients: list[Tensor] = [weight.grad for weight in optimizer.param_groups[0]["params"]]
    assert all(torch.equal(gradient, torch.zeros_like(gradient)) for gradient in gradients)


def test_afterwards_the_methods_are_those_of_the_class() -> None:
    optimizer = optim.Adam(some_weights(), fused=True)
    with lean_optimizers(optimizer):
        assert {"step", "zero_grad"} <= vars(optimizer).keys()
    assert not {"step", "zero_grad"} & vars(optimizer).keys()


def test_a_step_that_a_scheduler_of_torch_watches_is_left_to_it() -> None:
    optimizer = optim.Adam(some_weights(), fused=True)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 1)
    watched = vars(optimizer)["step"]
    with lean_optimizers(optimizer):
        assert vars(optimizer)["step"] is watched
        steps(optimizer, range(1))
    scheduler.step()
    assert vars(optimizer)["step"] is watched
