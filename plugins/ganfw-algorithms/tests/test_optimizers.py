"""Optimistic Adam, lookahead and historical averaging: their rules by hand, and players who circle an equilibrium."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim import Adam, Optimizer

import ganfw
from ganfw.testing import check_exact_resume, small_recipe
from ganfw_algorithms.historical_averaging import HistoricalAveraging
from ganfw_algorithms.lookahead import Lookahead
from ganfw_algorithms.optimistic_adam import OptimisticAdam

REGISTRY = ganfw.discover()
GRADIENTS = [[1.0, -2.0], [0.5, 3.0], [-1.0, 0.0], [2.0, 2.0], [0.1, -0.3], [-4.0, 1.0], [0.0, 1.0]]
"""The gradient in each step."""

Make = Callable[[list[nn.Parameter]], Optimizer]


def moved(make: Make) -> list[list[float]]:
    """Return the weights after each step."""
    weight = nn.Parameter(torch.tensor([0.3, -0.7], dtype=torch.float64))
    optimizer = make([weight])
    path = []
    for gradient in GRADIENTS:
        weight.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
        path.append(weight.tolist())
    return path


def directions(first: float, second: float) -> list[list[float]]:
    """Return Adam's directions, in plain Python."""
    mean, square, path = [0.0, 0.0], [0.0, 0.0], []
    for step, gradient in enumerate(GRADIENTS, start=1):
        mean = [first * old + (1 - first) * new for old, new in zip(mean, gradient, strict=True)]
        square = [second * old + (1 - second) * new**2 for old, new in zip(square, gradient, strict=True)]
        path.append(
            [
                (m / (1 - first**step)) / (math.sqrt(v / (1 - second**step)) + 1e-8)
                for m, v in zip(mean, square, strict=True)
            ]
        )
    return path


def test_optimistic_adam_takes_twice_its_direction_and_takes_the_last_one_back() -> None:
    weight, before, expected = [0.3, -0.7], [0.0, 0.0], []
    for now in directions(0.6, 0.9):
        weight = [w - 2 * 0.1 * p + 0.1 * q for w, p, q in zip(weight, now, before, strict=True)]
        before = now
        expected.append(weight)

    found = moved(lambda weights: OptimisticAdam(weights, lr=0.1, betas=(0.6, 0.9)))

    torch.testing.assert_close(torch.tensor(found), torch.tensor(expected))


def test_lookahead_goes_back_to_the_slow_weights_every_k_steps() -> None:
    fast = slow = [0.3, -0.7]
    expected = []
    for step, now in enumerate(directions(0.6, 0.9), start=1):
        fast = [w - 0.1 * p for w, p in zip(fast, now, strict=True)]
        if step % 3 == 0:
            fast = slow = [s + 0.4 * (f - s) for s, f in zip(slow, fast, strict=True)]
        expected.append(fast)

    found = moved(lambda weights: Lookahead(weights, lr=0.1, betas=(0.6, 0.9), inner_steps=3, pull=0.4))

    torch.testing.assert_close(torch.tensor(found), torch.tensor(expected))


def test_lookahead_that_goes_all_the_way_is_adam() -> None:
    adam = moved(lambda weights: Adam(weights, lr=0.1, betas=(0.6, 0.9)))
    assert moved(lambda weights: Lookahead(weights, lr=0.1, betas=(0.6, 0.9), inner_steps=2, pull=1.0)) == adam


def test_historical_averaging_is_adam_on_the_loss_with_the_squared_distance_from_the_mean() -> None:
    weight, past, mean, square, expected = 1.3, list[float](), 0.0, 0.0, []
    for step in range(1, 9):
        past.append(weight)
        gradient = slope_of_waves(weight) + 2 * 0.4 * (weight - sum(past) / len(past))
        mean, square = 0.6 * mean + 0.4 * gradient, 0.9 * square + 0.1 * gradient**2
        weight -= 0.1 * (mean / (1 - 0.6**step)) / (math.sqrt(square / (1 - 0.9**step)) + 1e-8)
        expected.append(weight)

    parameter = nn.Parameter(torch.tensor([1.3], dtype=torch.float64))
    optimizer = HistoricalAveraging([parameter], lr=0.1, betas=(0.6, 0.9), history_weight=0.4)
    found = []
    for _ in range(8):
        parameter.grad = torch.tensor([slope_of_waves(parameter.item())], dtype=torch.float64)
        optimizer.step()
        found.append(parameter.item())

    assert found == pytest.approx(expected)
    assert optimizer.state[parameter]["mean"].item() == pytest.approx(sum(past) / len(past))


def slope_of_waves(weight: float) -> float:
    """Return the slope of x² + 3 sin(5 x) / 5, a loss with several minima."""
    return 2 * weight + 3 * math.cos(5 * weight)


def test_historical_averaging_without_weight_is_adam() -> None:
    adam = moved(lambda weights: Adam(weights, lr=0.1, betas=(0.6, 0.9)))
    assert moved(lambda weights: HistoricalAveraging(weights, lr=0.1, betas=(0.6, 0.9), history_weight=0.0)) == adam


@pytest.mark.parametrize("make", [OptimisticAdam, Lookahead, HistoricalAveraging])
def test_weights_without_gradient_stay_and_begin_later(make: Make) -> None:
    first, second = (nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = make([first, second])
    for step in range(6):
        first.grad = torch.ones(2)
        second.grad = torch.ones(2) if step >= 1 else None
        optimizer.step()
        assert torch.equal(second, torch.ones(2)) == (step == 0)
    states = [optimizer.state_dict()["state"][index] for index in (0, 1)]
    assert [int(state["step"]) for state in states] == [6, 5]


def distances(make: Make, steps: int) -> list[float]:
    """Play x · y, which one player minimises over x and the other maximises over y, each in turn as a GAN's networks.

    Returns:
        How far (x, y) is from the equilibrium (0, 0) after each step.
    """
    x, y = (nn.Parameter(torch.ones(1, dtype=torch.float64)) for _ in range(2))
    players = [(make([y]), y, -1), (make([x]), x, 1)]
    path = []
    for _ in range(steps):
        for optimizer, weight, sign in players:
            (weight.grad,) = torch.autograd.grad(sign * x * y, weight)
            optimizer.step()
        path.append(math.hypot(x.item(), y.item()))
    return path


def test_adam_circles_where_the_others_find_the_equilibrium() -> None:
    keys = {"lr": 0.1, "betas": (0.0, 0.999)}
    adam, optimistic, lookahead = (
        distances(make, 300)[-100:]
        for make in (
            lambda weights: Adam(weights, **keys),
            lambda weights: OptimisticAdam(weights, **keys),
            lambda weights: Lookahead(weights, inner_steps=20, **keys),
        )
    )
    assert min(adam) > 0.8
    assert max(optimistic) < 1e-3
    assert max(lookahead) < 1e-3


def test_historical_averaging_comes_nearer_to_the_equilibrium_than_adam() -> None:
    keys = {"lr": 0.1, "betas": (0.0, 0.999)}
    adam = distances(lambda weights: Adam(weights, **keys), 300)[-100:]
    averaging = distances(lambda weights: HistoricalAveraging(weights, history_weight=0.1, **keys), 300)[-100:]
    assert max(averaging) < 0.03 < 0.8 < min(adam)


@pytest.mark.parametrize(
    "keys",
    [
        {"use": "optimistic_adam"},
        {"use": "lookahead", "inner_steps": 4},
        {"use": "historical_averaging", "history_weight": 5.0},
    ],
)
def test_a_run_resumes_exactly_with_a_schedule(keys: dict[str, object], tmp_path: Path) -> None:
    tables = {"optimizer": {"generator": keys, "discriminator": keys}, "schedule": {"generator": {"use": "linear"}}}
    recipe = ganfw.Recipe(name="optimizers", extends=small_recipe(REGISTRY), **tables)
    check_exact_resume(recipe, REGISTRY, tmp_path, stop_at=3, steps=9)  # between two steps of the slow weights
