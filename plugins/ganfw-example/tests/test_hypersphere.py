"""The noise on a hypersphere: support, distribution and determinism."""

import math

import pytest
import torch
from scipy.stats import beta, kstest, uniform

import ganfw
from ganfw_example.hypersphere import Hypersphere

CPU = torch.device("cpu")


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("z_dim", [1, 2, 3, 64, 512])
def test_every_vector_has_length_sqrt_z_dim(z_dim: int) -> None:
    z = Hypersphere(CPU, z_dim=z_dim)(1000, seeded(0))
    assert z.shape == (1000, z_dim)
    assert z.dtype == torch.float32
    torch.testing.assert_close(z.norm(dim=1), torch.full((1000,), math.sqrt(z_dim)))


def test_with_one_dimension_both_signs_are_drawn() -> None:
    assert set(Hypersphere(CPU, z_dim=1)(100, seeded(0)).flatten().tolist()) == {-1.0, 1.0}


def test_coordinates_have_mean_0_and_covariance_1() -> None:
    count, z_dim = 200_000, 8
    z = Hypersphere(CPU, z_dim=z_dim)(count, seeded(0)).double()
    five_sigma = 5 / math.sqrt(count)  # no entry of z or of its products has a variance above 1
    torch.testing.assert_close(z.mean(0), torch.zeros(z_dim).double(), atol=five_sigma, rtol=0)
    torch.testing.assert_close(z.T @ z / count, torch.eye(z_dim).double(), atol=five_sigma * math.sqrt(2), rtol=0)


def test_direction_is_uniform_on_the_circle() -> None:
    x, y = Hypersphere(CPU, z_dim=2)(20_000, seeded(0)).double().T
    assert kstest(torch.atan2(y, x).numpy(), uniform(-math.pi, 2 * math.pi).cdf).pvalue > 0.01


@pytest.mark.parametrize("coordinate", [0, 15])
def test_squared_coordinate_has_the_beta_distribution_of_a_sphere(coordinate: int) -> None:
    z_dim = 16
    z = Hypersphere(CPU, z_dim=z_dim)(20_000, seeded(0)).double()
    share = z[:, coordinate] ** 2 / z_dim
    assert kstest(share.numpy(), beta(1 / 2, (z_dim - 1) / 2).cdf).pvalue > 0.01


def test_spherical_interpolation_stays_on_the_sphere() -> None:
    start, end = Hypersphere(CPU, z_dim=32)(20, seeded(0)).split(10)
    way = ganfw.interpolate(start, end, 7, "spherical")
    torch.testing.assert_close(way.norm(dim=-1), torch.full((10, 7), math.sqrt(32)))


def test_truncation_is_refused() -> None:
    with pytest.raises(ganfw.InputError) as refusal:
        ganfw.draw_noise(Hypersphere(CPU), 4, truncation=1.0)
    assert (
        str(refusal.value)
        == "noise of type Hypersphere has no truncation; choose normal noise, or leave truncation out"
    )
