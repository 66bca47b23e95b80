"""The losses against closed forms, and their gradients against finite differences."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganfw import Registry
from ganfw.training.objective import is_relativistic

Values = NDArray[np.float64]


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


def log1pexp(x: Values) -> Values:
    """Return log(1 + exp(x)) as the logarithm of a sum of exponentials."""
    return np.logaddexp(0, x)


FORMULAS: dict[str, tuple[Callable[[Values, Values], Values], Callable[[Values, Values], Values]]] = {
    "bce": (lambda r, f: (log1pexp(-r) + log1pexp(f)) / 2, lambda _, f: log1pexp(-f)),
    "minimax": (lambda r, f: (log1pexp(-r) + log1pexp(f)) / 2, lambda _, f: -log1pexp(f)),
    "lsgan": (lambda r, f: 0.5 * (r - 1) ** 2 + 0.5 * f**2, lambda _, f: 0.5 * (f - 1) ** 2),
    "hinge": (lambda r, f: np.maximum(0, 1 - r) + np.maximum(0, 1 + f), lambda _, f: -f),
    "wasserstein": (lambda r, f: f - r, lambda _, f: -f),
    "logistic": (lambda r, f: log1pexp(-r) + log1pexp(f), lambda _, f: log1pexp(-f)),
    "relativistic": (lambda r, f: log1pexp(-(r - f)), lambda r, f: log1pexp(-(f - r))),
}
"""What the discriminator and the generator minimise, for each row of real and fake logits."""


def generator_loss(loss: object, real: Tensor, fake: Tensor) -> Tensor:
    return loss.generator(fake, real) if is_relativistic(loss) else loss.generator(fake)


def test_every_loss_has_a_formula(registry: Registry) -> None:
    assert {offer.part.name for offer in registry.parts("loss") if offer.plugin.distribution == "ganfw"} == set(
        FORMULAS
    )


@pytest.mark.parametrize("name", FORMULAS)
def test_losses_equal_their_formulas(registry: Registry, name: str) -> None:
    loss = registry.load("loss", name)()
    real, fake = (np.random.default_rng(seed).normal(0.3, 2, (50, 1)) for seed in (0, 1))
    of_discriminator, of_generator = FORMULAS[name]

    actual = loss.discriminator(torch.tensor(real), torch.tensor(fake))
    assert float(actual) == pytest.approx(of_discriminator(real, fake).mean(), rel=1e-12)
    actual = generator_loss(loss, torch.tensor(real), torch.tensor(fake))
    assert float(actual) == pytest.approx(of_generator(real, fake).mean(), rel=1e-12)


@pytest.mark.parametrize("name", FORMULAS)
def test_loss_gradients_equal_finite_differences(registry: Registry, name: str) -> None:
    loss = registry.load("loss", name)()
    real, fake = (column(values).requires_grad_() for values in LOGITS)
    of_discriminator, of_generator = FORMULAS[name]

    assert torch.autograd.gradcheck(loss.discriminator, (real, fake))
    assert torch.autograd.gradcheck(lambda f: generator_loss(loss, real.detach(), f), (fake,))
    for formula, value in (
        (of_discriminator, loss.discriminator(real, fake)),
        (of_generator, generator_loss(loss, real.detach(), fake)),
    ):
        (gradient,) = torch.autograd.grad(value, fake)
        for row in range(3):
            ends = []
            for side in (-1, 1):
                moved = fake.detach().numpy().copy()
                moved[row, 0] += side * 1e-6
                ends.append(formula(real.detach().numpy(), moved).mean())
            assert float(gradient[row]) == pytest.approx((ends[1] - ends[0]) / 2e-6, abs=1e-8)


@pytest.mark.parametrize("name", FORMULAS)
def test_a_better_generator_has_a_lower_loss_and_a_better_discriminator_too(registry: Registry, name: str) -> None:
    loss = registry.load("loss", name)()
    real, fake = torch.full((2, 1), 0.5), torch.full((2, 1), 0.5)

    assert generator_loss(loss, real, fake + 0.25) < generator_loss(loss, real, fake)
    assert loss.discriminator(real + 0.25, fake) < loss.discriminator(real, fake)
    assert loss.discriminator(real, fake - 0.25) < loss.discriminator(real, fake)


@pytest.mark.parametrize("name", FORMULAS)
def test_losses_stay_finite_at_extreme_logits(registry: Registry, name: str) -> None:
    loss = registry.load("loss", name)()
    for value in (-1e4, 1e4):
        logits = torch.full((4, 1), value)
        assert torch.isfinite(loss.discriminator(logits, logits))
        assert torch.isfinite(generator_loss(loss, -logits, logits))


def test_the_discriminators_logistic_loss_is_twice_bce(registry: Registry) -> None:
    real, fake = map(column, LOGITS)
    bce, logistic = (registry.load("loss", name)() for name in ("bce", "logistic"))

    torch.testing.assert_close(logistic.discriminator(real, fake), 2 * bce.discriminator(real, fake))
    torch.testing.assert_close(logistic.generator(fake), bce.generator(fake))


def test_hinge_gives_nothing_beyond_the_margin(registry: Registry) -> None:
    real, fake = (torch.tensor(values, requires_grad=True) for values in ([[1.5], [0.5]], [[-2.0], [0.0]]))
    registry.load("loss", "hinge")().discriminator(real, fake).backward()

    assert real.grad.flatten().tolist() == [0, -0.5]
    assert fake.grad.flatten().tolist() == [0, 0.5]


def test_relativistic_loss_sees_differences_of_pairs_only(registry: Registry) -> None:
    loss = registry.load("loss", "relativistic")()
    real, fake = map(column, LOGITS)

    torch.testing.assert_close(loss.discriminator(real + 7, fake + 7), loss.discriminator(real, fake))
    torch.testing.assert_close(loss.generator(fake, real), loss.discriminator(fake, real))
    assert not torch.isclose(loss.discriminator(real, fake), loss.discriminator(real, fake.flip(0)))
