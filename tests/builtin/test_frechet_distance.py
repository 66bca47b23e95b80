"""The Fréchet distance against scipy's root of a matrix, and closed forms."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganfw import MetricInputs, MetricValue, Moments, Registry, SampleSet

Measure = Callable[..., Mapping[str, MetricValue]]
Clouds = tuple[np.ndarray, np.ndarray]


def frechet(samples: np.ndarray, reference: np.ndarray) -> float:
    """Return the distance as it is defined, by the root of the product of the covariances."""
    between = ((samples.mean(0) - reference.mean(0)) ** 2).sum()
    left, right = np.cov(samples, rowvar=False), np.cov(reference, rowvar=False)
    return float(between + np.trace(left + right - 2 * scipy.linalg.sqrtm(left @ right).real))


def with_moments(mean: np.ndarray, covariance: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return `(count, d)` points whose mean and unbiased covariance are exactly these."""
    white = np.random.default_rng(seed).normal(size=(count, len(mean)))
    white -= white.mean(0)
    white @= np.linalg.inv(np.linalg.cholesky(np.cov(white, rowvar=False))).T
    return mean + white @ np.linalg.cholesky(covariance).T


@pytest.mark.parametrize(
    "clouds", ["ordinary", "clustered", "far_away", "lattice", "duplicates", "copies"], indirect=True
)
def test_distance_is_that_by_the_root_of_a_matrix(measure: Measure, clouds: Clouds) -> None:
    value = measure("frechet_distance", *clouds)["frechet_distance"].value

    assert value == pytest.approx(frechet(*clouds), rel=1e-6)


def test_distance_of_known_moments(measure: Measure) -> None:
    mean, other_mean = np.array([1.0, -2.0, 0.5]), np.array([0.0, 1.0, 0.5])
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    variances, others = np.array([4.0, 1.0, 0.25]), np.array([1.0, 9.0, 0.01])
    samples = with_moments(mean, rotation @ np.diag(variances) @ rotation.T, 50, seed=1)
    reference = with_moments(other_mean, rotation @ np.diag(others) @ rotation.T, 60, seed=2)

    value = measure("frechet_distance", samples, reference)["frechet_distance"].value

    assert value == pytest.approx(10 + ((np.sqrt(variances) - np.sqrt(others)) ** 2).sum(), rel=1e-12)


@pytest.mark.parametrize("clouds", ["rank_one"], indirect=True)
def test_distance_of_covariances_of_rank_one(measure: Measure, clouds: Clouds) -> None:
    samples, reference = clouds
    direction = np.linalg.svd(reference, full_matrices=False)[2][0]
    along, real_along = samples @ direction, reference @ direction
    expected = (along.mean() - real_along.mean()) ** 2 + (along.std(ddof=1) - real_along.std(ddof=1)) ** 2

    value = measure("frechet_distance", samples, reference)["frechet_distance"].value

    assert value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("clouds", ["all_equal"], indirect=True)
def test_distance_of_equal_samples_is_that_of_a_point(measure: Measure, clouds: Clouds) -> None:
    samples, reference = clouds
    expected = ((samples[0] - reference.mean(0)) ** 2).sum() + reference.var(0, ddof=1).sum()

    value = measure("frechet_distance", samples, reference)["frechet_distance"].value

    assert value == pytest.approx(expected, rel=1e-12)


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.floats(1e-3, 1e3))
def test_distance_is_symmetric_and_0_for_a_set_and_itself(
    measure: Measure, seed: int, dimensions: int, scale: float
) -> None:
    random = np.random.default_rng(seed)
    left = random.normal(size=(20, dimensions)) * scale
    right = random.normal(size=(30, dimensions))

    value = measure("frechet_distance", left, right)["frechet_distance"].value

    assert value > 0
    assert value == pytest.approx(measure("frechet_distance", right, left)["frechet_distance"].value, rel=1e-9)
    again = measure("frechet_distance", left, random.permutation(left))["frechet_distance"].value
    assert 0 <= again <= 1e-12 * scale**2


def test_fewer_samples_than_dimensions_and_one_have_no_distance(measure: Measure) -> None:
    random = np.random.default_rng(0)
    few, enough = random.normal(size=(6, 6)), random.normal(size=(7, 6))

    nothing = MetricValue(None, "lower", "too few samples: 6; 6 dimensions need at least 7")
    assert measure("frechet_distance", few, enough) == {
        "frechet_distance": nothing,
        "frechet_distance_infinite": nothing,
    }
    result = measure("frechet_distance", enough, few)["frechet_distance"]
    assert result == MetricValue(None, "lower", "too few reference samples: 6; 6 dimensions need at least 7")
    result = measure("frechet_distance", enough, enough)
    assert result["frechet_distance"].value == pytest.approx(0, abs=1e-12)
    assert result["frechet_distance_infinite"] == MetricValue(
        None, "lower", "too few samples: 7; a line in 6 dimensions needs at least 28"
    )


def test_features_that_are_not_finite_have_no_distance(measure: Measure) -> None:
    broken = np.zeros((20, 2))
    broken[3, 1] = np.nan

    result = measure("frechet_distance", broken, np.zeros((20, 2)))["frechet_distance"]

    assert result == MetricValue(None, "lower", "not all numbers of the samples are finite")


@pytest.mark.parametrize("clouds", ["ordinary", "far_away", "rank_one"], indirect=True)
def test_moments_of_the_reference_stand_for_its_features(measure: Measure, registry: Registry, clouds: Clouds) -> None:
    samples, reference = (torch.from_numpy(each) for each in clouds)
    moments = Moments.of(reference)
    torch.testing.assert_close(moments.covariance, reference.T.cov())
    nothing = SampleSet(reference[:0], reference[:0], moments=moments)

    found = registry.load("metric", "frechet_distance")()(
        MetricInputs(SampleSet(samples, samples), nothing, SampleSet(samples[:0], samples[:0]))
    )

    for name, expected in measure("frechet_distance", *clouds).items():
        assert found[name].value == pytest.approx(expected.value, rel=1e-6, abs=1e-6)


def test_distance_at_infinity_is_where_the_line_through_subsets_ends(measure: Measure) -> None:
    random = np.random.default_rng(0)
    samples, reference = random.normal(size=(400, 3)), random.normal(0.2, size=(500, 3))
    draws = torch.Generator().manual_seed(7)
    sizes = np.array([40, 160, 280, 400])
    distances = []
    for size in sizes:
        shuffled = samples[torch.randperm(400, generator=draws).numpy()]
        subsets = [shuffled[first : first + size] for first in range(0, 400 - size + 1, size)]
        distances.append(np.mean([frechet(subset, reference) for subset in subsets]))

    value = measure("frechet_distance", samples, reference, seed=7, sizes=4)["frechet_distance_infinite"].value

    assert value == pytest.approx(np.polynomial.Polynomial.fit(1 / sizes, distances, 1)(0), rel=1e-6)


def test_distance_at_infinity_is_nearer_to_the_distance_of_the_distributions(measure: Measure) -> None:
    reference = with_moments(np.zeros(20), np.eye(20), 5000, seed=0)
    for seed in range(3):
        result = measure("frechet_distance", np.random.default_rng(seed + 1).normal(size=(2000, 20)), reference)
        plain, infinite = (result[name].value for name in ("frechet_distance", "frechet_distance_infinite"))
        assert plain > 0.04
        assert abs(infinite) < plain / 3


@pytest.mark.parametrize("count", [30, 300])
def test_distance_at_infinity_is_left_out_if_it_is_not_asked_for(measure: Measure, count: int) -> None:
    samples, reference = (with_moments(np.zeros(50), np.eye(50), 300, seed) for seed in (0, 1))
    samples = samples[:count]

    both = measure("frechet_distance", samples, reference)
    plain = measure("frechet_distance", samples, reference, infinite=False)

    assert both.keys() == {"frechet_distance", "frechet_distance_infinite"}
    assert plain == {"frechet_distance": both["frechet_distance"]}
