"""The losses against closed forms, and their gradients against finite differences."""

import math

import pytest
import torch
from torch import Tensor

from ganfw import Registry


def log_sigmoid(logit: float) -> float:
    return -math.log1p(math.exp(-logit))


LOGITS = ([2.0, -1.0, 0.5], [-0.3, 1.2, -2.5])


def column(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).reshape(-1, 1)


@pytest.mark.parametrize("name", ["bce", "minimax"])
def test_discriminator_loss_is_half_the_negative_log_likelihood(registry: Registry, name: str) -> None:
    real, fake = LOGITS
    expected = -(sum(map(log_sigmoid, real)) / 3 + sum(log_sigmoid(-logit) for logit in fake) / 3) / 2

    actual = registry.load("loss", name)().discriminator(column(real), column(fake))

    assert float(actual) == pytest.approx(expected, rel=1e-12)


def test_bce_generator_loss_is_non_saturating(registry: Registry) -> None:
    _, fake = LOGITS
    expected = -sum(map(log_sigmoid, fake)) / 3

    assert float(registry.load("loss", "bce")().generator(column(fake))) == pytest.approx(expected, rel=1e-12)


def test_minimax_generator_loss_is_what_the_discriminator_maximises(registry: Registry) -> None:
    _, fake = LOGITS
    expected = sum(log_sigmoid(-logit) for logit in fake) / 3

    assert float(registry.load("loss", "minimax")().generator(column(fake))) == pytest.approx(expected, rel=1e-12)


def test_minimax_saturates_where_bce_does_not(registry: Registry) -> None:
    gradients = {}
    for name in ("bce", "minimax"):
        logit = torch.tensor([[-12.0]], requires_grad=True)
        registry.load("loss", name)().generator(logit).backward()
        gradients[name] = float(logit.grad)

    assert gradients["bce"] == pytest.approx(-1, abs=1e-4)
    assert gradients["minimax"] == pytest.approx(-math.exp(-12), rel=1e-4)


@pytest.mark.parametrize("name", ["bce", "minimax"])
def test_loss_gradients_equal_finite_differences(registry: Registry, name: str) -> None:
    loss = registry.load("loss", name)()
    real, fake = (column(values).requires_grad_() for values in LOGITS)

    assert torch.autograd.gradcheck(loss.discriminator, (real, fake))
    assert torch.autograd.gradcheck(loss.generator, (fake,))


@pytest.mark.parametrize("name", ["bce", "minimax"])
def test_losses_stay_finite_at_extreme_logits(registry: Registry, name: str) -> None:
    loss = registry.load("loss", name)()
    for value in (-1e4, 1e4):
        logits = torch.full((4, 1), value)
        assert torch.isfinite(loss.discriminator(logits, logits))
        assert torch.isfinite(loss.generator(logits))
