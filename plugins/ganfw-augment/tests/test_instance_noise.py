"""Instance noise: its distribution, and how it fades."""

import pytest
import torch
from scipy.stats import kstest

import ganfw
from ganfw_augment.instance_noise import InstanceNoise

CPU = torch.device("cpu")


def draws(count: int) -> ganfw.RowRandom:
    return ganfw.RowRandom(torch.Generator().manual_seed(0), count)


@pytest.mark.parametrize("shape", [(2,), (1, 28, 28), (3, 64, 64)], ids=str)
def test_noise_is_normal_around_the_samples(shape: tuple[int, ...]) -> None:
    samples = torch.rand(20, *shape, generator=torch.Generator().manual_seed(1))
    noise = InstanceNoise(CPU, std=0.3)(samples, draws(20)) - samples
    assert noise.shape == samples.shape
    assert kstest(noise.flatten()[:5000].double().numpy(), "norm", args=(0, 0.3)).pvalue > 0.01


@pytest.mark.parametrize(("seen", "std"), [(0, 0.2), (1, 0.15), (3, 0.05), (4, 0.0), (9, 0.0)])
def test_noise_fades_to_nothing_with_the_updates(seen: int, std: float) -> None:
    augment = InstanceNoise(CPU, std=0.2, updates=4)
    for _ in range(seen):
        augment.observe(torch.zeros(2, 1))
    noise = augment(torch.zeros(100, 1, 28, 28), draws(100))
    assert noise.std().item() == pytest.approx(std, rel=0.02)


def test_gradients_pass_through_unchanged() -> None:
    samples = torch.rand(4, 1, 8, 8, requires_grad=True)
    weights = torch.rand(4, 1, 8, 8)
    (InstanceNoise(CPU)(samples, draws(4)) * weights).sum().backward()
    assert torch.equal(samples.grad, weights)


def test_state_continues_where_it_was_saved() -> None:
    one, other = (InstanceNoise(CPU, updates=10) for _ in range(2))
    for _ in range(3):
        one.observe(torch.zeros(2, 1))
    other.load_state_dict(one.state_dict())
    samples = torch.zeros(4, 2)
    assert torch.equal(one(samples, draws(4)), other(samples, draws(4)))
