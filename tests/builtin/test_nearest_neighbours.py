"""Distances to training samples against scipy's tree."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from scipy.spatial import KDTree

from ganfw import MetricValue

Measure = Callable[..., Mapping[str, MetricValue]]
Clouds = tuple[np.ndarray, np.ndarray]


def test_median_and_ratio_are_those_of_a_tree(measure: Measure, clouds: Clouds) -> None:
    samples, training = clouds
    reference = np.random.default_rng(1).normal(size=(150, 6)) + training.mean(0)
    tree = KDTree(training)
    expected = np.median(tree.query(samples)[0])

    result = measure("nearest_neighbours", samples, reference, training)

    assert result["nearest_neighbour_distance"] == MetricValue(pytest.approx(expected, rel=1e-9, abs=0))
    assert result["nearest_neighbour_ratio"] == MetricValue(
        pytest.approx(expected / np.median(tree.query(reference)[0]), rel=1e-9, abs=0)
    )


def test_copies_are_at_distance_0_and_new_samples_at_ratio_1(measure: Measure) -> None:
    random = np.random.default_rng(0)
    training, reference, new = random.normal(size=(3, 1500, 5))

    copied = measure("nearest_neighbours", training[:501], reference, training)
    assert copied["nearest_neighbour_distance"].value == 0
    assert copied["nearest_neighbour_ratio"].value == 0
    near = measure("nearest_neighbours", training + random.normal(0, 0.01, training.shape), reference, training)
    assert near["nearest_neighbour_ratio"].value < 0.05
    assert measure("nearest_neighbours", new, reference, training)["nearest_neighbour_ratio"].value == pytest.approx(
        1, abs=0.05
    )


def test_what_is_missing_is_reported(measure: Measure) -> None:
    rows, none = np.eye(3), np.zeros((0, 3))

    nothing = MetricValue(None, "", "too few samples: 0; a nearest neighbour needs at least 1")
    assert measure("nearest_neighbours", none, rows) == {
        "nearest_neighbour_distance": nothing,
        "nearest_neighbour_ratio": nothing,
    }
    result = measure("nearest_neighbours", rows, rows, none)["nearest_neighbour_distance"]
    assert result == MetricValue(None, "", "too few training samples: 0; a nearest neighbour needs at least 1")
    assert measure("nearest_neighbours", rows + 1, none, rows) == {
        "nearest_neighbour_distance": MetricValue(pytest.approx(3**0.5, rel=1e-12)),
        "nearest_neighbour_ratio": MetricValue(None, "", "too few reference samples: 0; a ratio needs at least 1"),
    }
    assert measure("nearest_neighbours", rows + 1, rows, rows)["nearest_neighbour_ratio"] == MetricValue(
        None, "", "half of the reference samples have an equal among the training samples"
    )
