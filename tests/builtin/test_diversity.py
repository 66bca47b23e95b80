"""Diversity against scipy's distances of all pairs."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from ganfw import MetricValue

Measure = Callable[..., Mapping[str, MetricValue]]
Clouds = tuple[np.ndarray, np.ndarray]


def test_diversity_is_the_ratio_of_mean_distances(measure: Measure, clouds: Clouds) -> None:
    samples, reference = clouds

    result = measure("diversity", samples, reference)

    expected = pdist(samples).mean() / pdist(reference).mean()
    assert result == {"diversity": MetricValue(pytest.approx(expected, rel=1e-9, abs=0), "higher")}


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_diversity_is_the_scale_of_the_samples_wherever_they_are(
    measure: Measure, seed: int, scale: float, shift: float
) -> None:
    points = np.random.default_rng(seed).normal(size=(12, 3))

    value = measure("diversity", points * scale + shift, points)["diversity"].value

    assert value == pytest.approx(scale, rel=1e-6)


def test_equal_samples_have_no_diversity(
    measure: Measure,
) -> None:
    points = np.random.default_rng(0).normal(size=(30, 3))

    assert measure("diversity", np.tile(points[:1], (30, 1)), points)["diversity"].value == 0
    assert measure("diversity", points, np.tile(points[:1], (30, 1)))["diversity"] == MetricValue(
        None, "higher", "all reference samples are equal"
    )


def test_one_sample_has_no_pair(measure: Measure) -> None:
    one, two = np.zeros((1, 3)), np.eye(3)[:2]

    assert measure("diversity", one, two)["diversity"] == MetricValue(
        None, "higher", "too few samples: 1; a pair needs at least 2"
    )
    assert measure("diversity", two, one)["diversity"] == MetricValue(
        None, "higher", "too few reference samples: 1; a pair needs at least 2"
    )
