"""The noise samplers against scipy's distributions."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from ganfw import InputError, Registry

DRAWS = 1_000_000
COLUMNS = 50


def draw(device: torch.device, registry: Registry, name: str, seed: int = 0, **parameters: float) -> np.ndarray:
    sampler = registry.load("noise", name)(device, z_dim=COLUMNS, **parameters)
    noise = sampler(DRAWS // COLUMNS, torch.Generator(device).manual_seed(seed))
    assert noise.shape == (DRAWS // COLUMNS, COLUMNS)
    assert noise.dtype == torch.float32
    return noise.cpu().numpy().ravel().astype(np.float64)


@pytest.mark.parametrize("threshold", [0.01, 0.1, 0.5, 1, 2, 4, 6, 8, 20, math.inf])
def test_truncated_noise_is_the_truncated_normal(device: torch.device, registry: Registry, threshold: float) -> None:
    values = draw(device, registry, "truncated", threshold=threshold)

    distribution = stats.norm() if math.isinf(threshold) else stats.truncnorm(-threshold, threshold)
    assert np.abs(values).max() <= threshold
    assert stats.kstest(values, distribution.cdf).pvalue > 1e-3


@pytest.mark.parametrize("threshold", [4, 6, 8])
def test_truncated_noise_has_the_right_tails(device: torch.device, registry: Registry, threshold: float) -> None:
    values = np.abs(draw(device, registry, "truncated", threshold=threshold))

    for beyond in (3, 3.5):
        share = 2 * stats.truncnorm(-threshold, threshold).sf(beyond)
        assert stats.binomtest(int((values > beyond).sum()), DRAWS, share).pvalue > 1e-3


def test_truncated_noise_at_zero_is_the_mean_alone(device: torch.device, registry: Registry) -> None:
    assert not draw(device, registry, "truncated", threshold=0).any()


def test_truncated_noise_moves_continuously_with_the_threshold(device: torch.device, registry: Registry) -> None:
    thresholds = [0.01, 0.02, 0.5, 0.501, 2, 2.001, 6, 6.001]
    curves = {threshold: draw(device, registry, "truncated", threshold=threshold) for threshold in thresholds}

    for low, high in zip(thresholds[::2], thresholds[1::2], strict=True):
        assert np.abs(curves[high] - curves[low]).max() <= (high - low) * 1.001
        assert (np.abs(curves[high]) >= np.abs(curves[low])).all()


def test_truncated_noise_with_a_far_threshold_is_the_normal_noise_of_the_same_seed(
    device: torch.device, registry: Registry
) -> None:
    np.testing.assert_allclose(
        draw(device, registry, "truncated", threshold=12), draw(device, registry, "normal"), rtol=3e-7, atol=0
    )


@pytest.mark.parametrize("threshold", [-1.0, -1e-9, math.nan])
def test_truncated_noise_refuses_a_threshold_below_zero(
    device: torch.device, registry: Registry, threshold: float
) -> None:
    with pytest.raises(InputError) as caught:
        registry.load("noise", "truncated")(device, threshold=threshold)
    assert str(caught.value) == f"the truncation threshold must be >= 0, not {threshold}"


@pytest.mark.parametrize("threshold", [0.1, 0.3, 1 / 3, 0.7])
def test_truncated_noise_never_rounds_beyond_the_threshold(
    device: torch.device, registry: Registry, threshold: float
) -> None:
    sampler = registry.load("noise", "truncated")(device, z_dim=COLUMNS, threshold=threshold)

    largest = float(sampler(20_000, torch.Generator(device).manual_seed(0)).abs().max())

    assert largest <= threshold


def test_truncating_normal_noise_gives_truncated_noise(device: torch.device, registry: Registry) -> None:
    normal = registry.load("noise", "normal")(device, z_dim=7)
    truncated = registry.load("noise", "truncated")(device, z_dim=7, threshold=0.5)

    actual = normal.truncated(0.5)(11, torch.Generator(device).manual_seed(3))

    assert torch.equal(actual, truncated(11, torch.Generator(device).manual_seed(3)))


def test_truncating_truncated_noise_keeps_the_smaller_threshold(device: torch.device, registry: Registry) -> None:
    truncated = registry.load("noise", "truncated")(device, threshold=0.5)

    assert truncated.truncated(2.0).threshold == 0.5
    assert truncated.truncated(0.1).threshold == 0.1
    with pytest.raises(InputError):
        truncated.truncated(math.nan)


def test_normal_noise_is_normal(device: torch.device, registry: Registry) -> None:
    assert stats.kstest(draw(device, registry, "normal"), stats.norm.cdf).pvalue > 1e-3


def test_uniform_noise_is_uniform_on_minus_one_to_one(device: torch.device, registry: Registry) -> None:
    values = draw(device, registry, "uniform")

    assert np.abs(values).max() <= 1
    assert stats.kstest(values, stats.uniform(-1, 2).cdf).pvalue > 1e-3


@pytest.mark.parametrize("name", ["normal", "truncated", "uniform"])
def test_noise_is_a_function_of_the_generator_and_has_independent_coordinates(
    device: torch.device, registry: Registry, name: str
) -> None:
    first, again, other = (
        draw(device, registry, name),
        draw(device, registry, name),
        draw(device, registry, name, seed=1),
    )

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    correlation = np.corrcoef(first.reshape(-1, COLUMNS), rowvar=False) - np.eye(COLUMNS)
    assert np.abs(correlation).max() < 6 / math.sqrt(DRAWS / COLUMNS)
