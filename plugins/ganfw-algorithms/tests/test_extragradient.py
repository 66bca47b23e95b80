"""Extragradient against gradients by hand, and on the game in which alternating players circle."""

import math
from typing import Any

import pytest
import torch
from attrs import evolve
from torch import nn
from torch.nn.functional import softplus

import ganfw
from ganfw import Callback, Registry, TensorData, Training

SAMPLES = torch.rand(32, 3, generator=torch.Generator().manual_seed(0))


class Player(nn.Module):
    """One weight, which starts at 1 and is the factor of the mean of an input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.width = nn.Parameter(torch.ones(())), width

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        return (self.weight * samples.mean(1, keepdim=True)).expand(-1, self.width)


class Distances(Callback):
    """Notes how far the two weights are from 0."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_step(self, training: Training) -> None:
        self.seen.append(math.hypot(*(each.weight.item() for each in training.experiment.networks.values())))


def ones(count: int, random: torch.Generator | None) -> torch.Tensor:
    return torch.ones(count, 2)


def between(
    registry: Registry, networks: dict[str, nn.Module], step: str, loss: str, optimizer: str, **keys: Any
) -> ganfw.Experiment:
    """Return the experiment of two networks; noise is always 1, and of the real samples each batch has all."""
    make, part = registry.load("optimizer", f"ganfw:{optimizer}"), registry.load("loss", f"ganfw:{loss}")()
    return ganfw.Experiment(
        data=TensorData(SAMPLES),
        noise=registry.load("noise", "ganfw:normal")("cpu", z_dim=2),
        networks=networks,
        loss=part,
        optimizers={name: make(list(network.parameters()), **keys) for name, network in networks.items()},
        step=registry.load("step", step)(networks["generator"], networks["discriminator"], part, ones),
    )


def distances(registry: Registry, step: str, optimizer: str, steps: int, **keys: Any) -> list[float]:
    """Play x · y, in which the generator x descends and the discriminator y ascends; return how far they are from 0."""
    note = Distances()
    players = {"generator": Player(3), "discriminator": Player(1)}
    game = between(registry, players, step, "wasserstein", optimizer, **keys)
    ganfw.train(evolve(game, data=TensorData(torch.zeros(4, 3)), callbacks={"note": note}), steps=steps)
    return note.seen


def test_a_step_is_that_of_the_gradients_a_step_ahead(registry: Registry) -> None:
    networks = {"generator": nn.Linear(2, 3), "discriminator": nn.Linear(3, 1)}
    experiment = between(registry, networks, "extragradient", "logistic", "sgd", lr=0.1)
    learnt = [weight for network in networks.values() for weight in network.parameters()]
    expected = [weight.detach().clone().requires_grad_() for weight in learnt]

    def moved(weights: list[torch.Tensor], where: list[torch.Tensor]) -> list[torch.Tensor]:
        """Return the weights less a tenth of the slopes of the losses somewhere."""
        fakes = torch.ones(len(SAMPLES), 2) @ where[0].T + where[1]
        of_reals, of_fakes = (samples @ where[2].T + where[3] for samples in (SAMPLES, fakes))
        of_fakes_alone = fakes.detach() @ where[2].T + where[3]
        losses = softplus(-of_reals).mean() + softplus(of_fakes_alone).mean()
        slopes = [
            *torch.autograd.grad(softplus(-of_fakes).mean(), where[:2]),
            *torch.autograd.grad(losses, where[2:]),
        ]
        return [(weight - slope / 10).detach().requires_grad_() for weight, slope in zip(weights, slopes, strict=True)]

    for _ in range(3):
        expected = moved(expected, moved(expected, expected))
    ganfw.train(experiment, steps=3)

    torch.testing.assert_close([weight.detach() for weight in learnt], [weight.detach() for weight in expected])


def test_plain_gradient_descent_comes_nearer_by_a_known_factor(registry: Registry) -> None:
    found = distances(registry, "extragradient", "sgd", 30, lr=0.1)

    factor = math.hypot(1 - 0.1**2, 0.1)  # x' = x - lr (y + lr x), y' = y + lr (x - lr y)
    assert found == pytest.approx([math.sqrt(2) * factor**step for step in range(1, 31)])


def test_it_finds_the_equilibrium_that_the_classic_step_circles(registry: Registry) -> None:
    keys = {"lr": 0.1, "betas": [0.0, 0.999]}
    classic, ahead = (
        distances(registry, step, "adam", 300, **keys)[-100:] for step in ("alternating", "extragradient")
    )
    assert max(ahead) < 0.1 < 0.7 < min(classic)
