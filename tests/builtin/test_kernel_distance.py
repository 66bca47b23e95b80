"""The kernel distance against its definition in loops, and a closed form."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from ganfw import MetricValue

Measure = Callable[..., Mapping[str, MetricValue]]
Clouds = tuple[np.ndarray, np.ndarray]


def kernel(x: np.ndarray, y: np.ndarray) -> float:
    return float((x @ y / len(x) + 1) ** 3)


def discrepancy(samples: np.ndarray, reference: np.ndarray) -> float:
    """Return the unbiased estimate from two sets of one size, pair by pair."""
    size = len(samples)
    same = sum(
        kernel(points[i], points[j])
        for points in (samples, reference)
        for i in range(size)
        for j in range(size)
        if i != j
    )
    between = sum(kernel(x, y) for x in samples for y in reference)
    return same / (size * (size - 1)) - 2 * between / size**2


def test_distance_of_whole_sets_is_the_sum_over_pairs(measure: Measure, clouds: Clouds) -> None:
    samples, reference = clouds[0][:60] % 100, clouds[1][:60] % 100  # far away, a cube leaves no digits for differences

    value = measure("kernel_distance", samples, reference)["kernel_distance"].value

    assert value == pytest.approx(discrepancy(samples, reference), rel=1e-6)


def test_smaller_set_gives_the_size_of_the_subsets(measure: Measure) -> None:
    random = np.random.default_rng(0)
    samples, reference = random.normal(0.5, size=(30, 4)), np.tile(random.normal(size=(1, 4)), (50, 1))

    result = measure("kernel_distance", samples, reference, subsets=3)["kernel_distance"]

    assert result.value == pytest.approx(discrepancy(samples, reference[:30]), rel=1e-9)
    assert result.better == "lower"


def test_distance_of_a_set_and_itself_is_below_0(measure: Measure) -> None:
    points = np.random.default_rng(0).normal(size=(40, 4))
    kernels = (points @ points.T / 4 + 1) ** 3
    expected = 2 * (kernels.mean() - np.trace(kernels) / 40) / 39  # off the diagonal is less than the mean of all

    value = measure("kernel_distance", points, points)["kernel_distance"].value

    assert value < 0
    assert value == pytest.approx(expected, rel=1e-9)


def test_distance_is_unbiased_for_any_number_of_samples(measure: Measure) -> None:
    """In one dimension the expectation is `(x³ - y³)² + 3 (x² - y²)² + 3 (x - y)²` of the moments."""
    mean, deviation = 0.5, 1.2
    moments = np.array([mean, mean**2 + deviation**2, mean**3 + 3 * mean * deviation**2])
    expected = (np.array([3, 3, 1]) * (moments - np.array([0, 1, 0])) ** 2).sum()
    random = np.random.default_rng(0)
    for size in (4, 64):
        values = [
            measure("kernel_distance", random.normal(mean, deviation, (size, 1)), random.normal(size=(size, 1)))[
                "kernel_distance"
            ].value
            for _ in range(1000)
        ]
        assert abs(np.mean(values) - expected) < 4 * np.std(values) / np.sqrt(len(values))


def test_subsets_follow_from_the_seed_and_have_the_mean_of_the_whole(measure: Measure) -> None:
    random = np.random.default_rng(0)
    samples, reference = random.normal(0.3, size=(500, 4)), random.normal(size=(500, 4))

    def value(seed: int, **keys: int) -> float:
        found = measure("kernel_distance", samples, reference, seed=seed, **keys)["kernel_distance"].value
        assert isinstance(found, float)
        return found

    assert value(0, subset_size=50) == value(0, subset_size=50)
    assert value(0, subset_size=50) != value(1, subset_size=50)
    assert value(0, subset_size=499) == pytest.approx(value(0), rel=0.02)
    values = [value(seed, subset_size=50, subsets=20) for seed in range(50)]
    assert abs(np.mean(values) - value(0)) < 4 * np.std(values) / np.sqrt(len(values))


def test_one_sample_has_no_distance(measure: Measure) -> None:
    one, two = np.zeros((1, 3)), np.zeros((2, 3))

    assert measure("kernel_distance", one, two)["kernel_distance"] == MetricValue(
        None, "lower", "too few samples: 1; an unbiased estimate needs at least 2"
    )
    assert measure("kernel_distance", two, one)["kernel_distance"] == MetricValue(
        None, "lower", "too few reference samples: 1; an unbiased estimate needs at least 2"
    )
    assert measure("kernel_distance", two, two)["kernel_distance"].value == 0
