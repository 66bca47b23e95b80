"""Label smoothing against the formula and the best discriminator of the paper (Salimans et al., 2016, section 3.4)."""

import math

import pytest
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

from ganfw_augment.bce_smooth import SmoothBCE


def logit(value: float) -> Tensor:
    return torch.tensor([[value]], dtype=torch.float64)


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


@pytest.mark.parametrize("target", [0.7, 0.9, 1.0])
@pytest.mark.parametrize(("real", "fake"), [(0.0, 0.0), (3.0, -2.0), (-1.5, 2.5)])
def test_discriminator_is_the_mean_of_two_cross_entropies(target: float, real: float, fake: float) -> None:
    expected = -target * math.log(sigmoid(real)) - (1 - target) * math.log(1 - sigmoid(real))
    expected = (expected - math.log(1 - sigmoid(fake))) / 2
    loss = SmoothBCE(real_target=target).discriminator(logit(real), logit(fake))
    assert loss.item() == pytest.approx(expected)


@pytest.mark.parametrize("v", [-3.0, 0.0, 2.0])
def test_generator_is_not_smoothed(v: float) -> None:
    assert SmoothBCE().generator(logit(v)).item() == pytest.approx(-math.log(sigmoid(v)))


@pytest.mark.parametrize(("p", "q"), [(1.0, 1.0), (3.0, 1.0), (1.0, 4.0)])
def test_best_probability_is_the_target_times_that_of_bce(p: float, q: float) -> None:
    loss = SmoothBCE(real_target=0.9)

    def expected_loss(v: float) -> float:
        real, fake = (loss.discriminator(logit(v), logit(-100.0)), loss.discriminator(logit(100.0), logit(v)))
        none = loss.discriminator(logit(100.0), logit(-100.0))
        return p * (real.item()) + q * (fake.item() - none.item())

    best = minimize_scalar(expected_loss, bounds=(-10, 10), method="bounded", options={"xatol": 1e-8}).x
    assert sigmoid(best) == pytest.approx(0.9 * p / (p + q), abs=1e-5)


def test_gradients_are_those_of_finite_differences() -> None:
    random = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(6, 1, dtype=torch.float64, generator=random).requires_grad_() for _ in range(2))
    assert torch.autograd.gradcheck(SmoothBCE().discriminator, (real, fake))
    assert torch.autograd.gradcheck(SmoothBCE().generator, (fake,))


def test_large_logits_give_finite_losses() -> None:
    loss = SmoothBCE()
    assert torch.isfinite(loss.discriminator(torch.full((2, 1), -1e4), torch.full((2, 1), 1e4)))
    assert torch.isfinite(loss.generator(torch.full((2, 1), -1e4)))
