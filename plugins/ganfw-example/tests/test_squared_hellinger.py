"""The squared Hellinger loss against its definition (Nowozin et al., "f-GAN", 2016)."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.stats import laplace, logistic, norm
from torch import Tensor

from ganfw_example.squared_hellinger import SquaredHellinger

LOGITS = [-3.0, -0.5, 0.0, 0.7, 2.5]
PAIRS = [(norm(0, 1), norm(1.5, 1)), (norm(0, 1), norm(0, 1)), (norm(0, 1), logistic(1, 0.8)), (laplace, logistic)]


def logit(value: float) -> Tensor:
    return torch.tensor([[value]], dtype=torch.float64)


def quantiles(distribution, count: int = 1_000_000) -> Tensor:
    """Return `(count, 1)` evenly spaced quantiles: means over them are integrals over the distribution."""
    return torch.from_numpy(distribution.ppf((np.arange(count) + 0.5) / count)).unsqueeze(1)


def best_logits(x: Tensor, p, q) -> Tensor:
    return torch.from_numpy(p.logpdf(x.numpy()) - q.logpdf(x.numpy())) / 2


def activation(v: float) -> float:
    return 1 - math.exp(-v)


def conjugate(t: float) -> float:
    """Return f*(t), the supremum over u of u t - f(u), for f(u) = (sqrt(u) - 1)^2."""
    found = minimize_scalar(
        lambda root: (root - 1) ** 2 - root**2 * t, bounds=(0, 1e3), method="bounded", options={"xatol": 1e-12}
    )
    return -found.fun


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_with_the_best_logits_the_discriminator_loss_is_minus_the_distance(p, q) -> None:
    distance, _ = quad(lambda x: (math.sqrt(p.pdf(x)) - math.sqrt(q.pdf(x))) ** 2, -40, 40, points=[0.0], limit=200)
    real, fake = quantiles(p), quantiles(q)
    loss = SquaredHellinger().discriminator(best_logits(real, p, q), best_logits(fake, p, q))
    assert loss.item() == pytest.approx(-distance, abs=2e-4)


def test_distance_of_two_normals_is_the_closed_form() -> None:
    p, q = norm(0, 1), norm(1.5, 1)
    real, fake = quantiles(p), quantiles(q)
    loss = SquaredHellinger().discriminator(best_logits(real, p, q), best_logits(fake, p, q))
    assert loss.item() == pytest.approx(-(2 - 2 * math.exp(-(1.5**2) / 8)), abs=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: 0.1 + 0 * x,
        lambda x: -0.1 + 0 * x,
        lambda x: 0.3 * torch.sin(3 * x),
        lambda x: -0.1 * x,
    ],
)
def test_other_logits_give_a_larger_discriminator_loss(change) -> None:
    p, q = norm(0, 1), norm(1.5, 1)
    real, fake = quantiles(p), quantiles(q)
    loss = SquaredHellinger()
    best = loss.discriminator(best_logits(real, p, q), best_logits(fake, p, q))
    other = loss.discriminator(best_logits(real, p, q) + change(real), best_logits(fake, p, q) + change(fake))
    assert other > best + 1e-3


@pytest.mark.parametrize("v", LOGITS)
def test_reals_count_by_the_output_activation(v: float) -> None:
    assert SquaredHellinger().discriminator(logit(v), logit(0.0)).item() == pytest.approx(-activation(v))


@pytest.mark.parametrize("v", LOGITS)
def test_fakes_count_by_the_conjugate_of_the_output_activation(v: float) -> None:
    loss = SquaredHellinger().discriminator(logit(0.0), logit(v))
    assert loss.item() == pytest.approx(conjugate(activation(v)), abs=1e-8)


@pytest.mark.parametrize("v", LOGITS)
def test_generator_maximises_the_output_activation(v: float) -> None:
    assert SquaredHellinger().generator(logit(v)).item() == pytest.approx(-activation(v))


@pytest.mark.parametrize("v", LOGITS)
def test_saturating_generator_minimises_what_the_discriminator_maximises(v: float) -> None:
    loss = SquaredHellinger(saturating=True)
    assert loss.generator(logit(v)).item() == pytest.approx(-loss.discriminator(logit(0.0), logit(v)).item())


def test_only_the_default_generator_learns_from_fakes_that_the_discriminator_is_sure_of() -> None:
    gradients = []
    for saturating in (False, True):
        v = logit(-5.0).requires_grad_()
        SquaredHellinger(saturating=saturating).generator(v).backward()
        gradients.append(v.grad.item())
    assert gradients == pytest.approx([-math.exp(5), -math.exp(-5)])


@pytest.mark.parametrize("saturating", [False, True])
def test_gradients_are_those_of_finite_differences(saturating: bool) -> None:
    loss = SquaredHellinger(saturating=saturating)
    random = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(6, 1, dtype=torch.float64, generator=random).requires_grad_() for _ in range(2))
    assert torch.autograd.gradcheck(loss.discriminator, (real, fake))
    assert torch.autograd.gradcheck(loss.generator, (fake,))
