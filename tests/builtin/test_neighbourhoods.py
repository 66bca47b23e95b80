"""Precision, recall, density and coverage against their definitions in loops."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganfw import MetricValue

Measure = Callable[..., Mapping[str, MetricValue]]
Clouds = tuple[np.ndarray, np.ndarray]


def share_in_manifold(points: np.ndarray, manifold: np.ndarray, k: int) -> float:
    """Return the share of points that are in the ball of a member, one member after another."""
    found = np.zeros(len(points), dtype=bool)
    for index, member in enumerate(manifold):
        others = np.sqrt(((np.delete(manifold, index, axis=0) - member) ** 2).sum(1))
        found |= np.sqrt(((points - member) ** 2).sum(1)) <= np.sort(others)[k - 1]
    return float(found.mean())


@pytest.mark.parametrize("k", [1, 3])
def test_shares_are_those_of_the_definition(measure: Measure, clouds: Clouds, k: int) -> None:
    samples, reference = clouds

    result = measure("precision_recall", samples, reference, k=k)

    assert result == {
        "precision": MetricValue(share_in_manifold(samples, reference, k), "higher"),
        "recall": MetricValue(share_in_manifold(reference, samples, k), "higher"),
    }


def test_samples_that_are_real_but_alike_have_precision_and_no_recall(measure: Measure) -> None:
    """The order of the arguments: exchanged, the two numbers change places."""
    random = np.random.default_rng(0)
    reference = random.normal(size=(500, 4))
    samples = random.normal(0, 0.05, size=(500, 4))

    result = measure("precision_recall", samples, reference)
    assert result["precision"].value == 1
    assert result["recall"].value == pytest.approx(0, abs=0.01)
    swapped = measure("precision_recall", reference, samples)
    assert swapped["precision"] == result["recall"]
    assert swapped["recall"] == result["precision"]


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(5, 20), st.integers(5, 20), st.booleans())
def test_exchanging_the_sets_exchanges_the_numbers(
    measure: Measure, seed: int, count: int, real_count: int, tied: bool
) -> None:
    random = np.random.default_rng(seed)
    samples, reference = random.normal(size=(count, 2)), random.normal(size=(real_count, 2))
    if tied:
        samples, reference = samples.round(), reference.round()

    result = measure("precision_recall", samples, reference)
    swapped = measure("precision_recall", reference, samples)

    assert (result["precision"], result["recall"]) == (swapped["recall"], swapped["precision"])
    again = measure("precision_recall", samples, random.permutation(samples))
    assert (again["precision"].value, again["recall"].value) == (1, 1)


def test_equal_samples_are_all_in_the_manifold_or_none(measure: Measure) -> None:
    reference = np.random.default_rng(0).normal(size=(100, 3))

    real = measure("precision_recall", np.tile(reference[7], (50, 1)), reference)
    unreal = measure("precision_recall", np.full((50, 3), 9.0), reference)

    assert (real["precision"].value, real["recall"].value) == (1, 0.01)
    assert (unreal["precision"].value, unreal["recall"].value) == (0, 0)


def test_sets_that_are_not_larger_than_k_have_no_numbers(measure: Measure) -> None:
    three, four = np.eye(4)[:3], np.eye(4)

    nothing = MetricValue(None, "higher", "too few samples: 3; k = 3 needs at least 4")
    assert measure("precision_recall", three, four) == {"precision": nothing, "recall": nothing}
    nothing = MetricValue(None, "higher", "too few reference samples: 3; k = 3 needs at least 4")
    assert measure("precision_recall", four, three) == {"precision": nothing, "recall": nothing}
    assert measure("precision_recall", four, four)["precision"].value == 1


def density_and_coverage(samples: np.ndarray, reference: np.ndarray, k: int) -> tuple[float, float]:
    """Count samples in balls, one member of the reference after another."""
    counts = []
    for index, member in enumerate(reference):
        others = np.sqrt(((np.delete(reference, index, axis=0) - member) ** 2).sum(1))
        counts.append((np.sqrt(((samples - member) ** 2).sum(1)) < np.sort(others)[k - 1]).sum())
    return sum(counts) / (k * len(samples)), float(np.mean(np.array(counts) > 0))


@pytest.mark.parametrize("k", [1, 5])
def test_numbers_are_those_of_the_definition(measure: Measure, clouds: Clouds, k: int) -> None:
    density, coverage = density_and_coverage(*clouds, k)

    result = measure("density_coverage", *clouds, k=k)

    assert result["density"] == MetricValue(pytest.approx(density, rel=1e-12), "higher")
    assert result["coverage"] == MetricValue(pytest.approx(coverage, rel=1e-12), "higher")


def test_samples_that_are_real_but_alike_have_density_and_no_coverage(measure: Measure) -> None:
    """The order of the arguments: exchanged, density is gone and coverage too."""
    random = np.random.default_rng(0)
    reference = random.normal(size=(500, 4))
    samples = random.normal(0, 0.05, size=(500, 4))

    result = measure("density_coverage", samples, reference)
    assert result["density"].value > 1
    assert result["coverage"].value < 0.2
    swapped = measure("density_coverage", reference, samples)
    assert swapped["density"].value < 0.01
    assert swapped["coverage"].value < 0.01


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(6, 30), st.integers(1, 5))
def test_a_set_has_density_and_coverage_1_in_itself(measure: Measure, seed: int, count: int, k: int) -> None:
    points = np.random.default_rng(seed).normal(size=(count, 3))

    result = measure("density_coverage", points, points, k=k)

    assert (result["density"].value, result["coverage"].value) == (1, 1)


def test_both_are_1_on_average_for_samples_of_the_distribution(measure: Measure) -> None:
    """The expectation of coverage is `1 - Π_{i<k} (n - 1 - i) / (2n - 1 - i)` for n samples and n of the reference."""
    random = np.random.default_rng(0)
    results = [measure("density_coverage", *random.normal(size=(2, 300, 2))) for _ in range(60)]
    for name, expected in (
        ("density", 1),
        ("coverage", 1 - np.prod([(299 - i) / (599 - i) for i in range(5)])),
    ):
        values = [result[name].value for result in results]
        assert abs(np.mean(values) - expected) < 4 * np.std(values) / np.sqrt(len(values))


def test_a_reference_that_is_not_larger_than_k_and_no_samples_have_no_numbers(measure: Measure) -> None:
    nothing = MetricValue(None, "higher", "too few reference samples: 5; k = 5 needs at least 6")
    assert measure("density_coverage", np.eye(6), np.eye(6)[:5]) == {"density": nothing, "coverage": nothing}
    nothing = MetricValue(None, "higher", "too few samples: 0; a mean needs at least 1")
    assert measure("density_coverage", np.zeros((0, 6)), np.eye(6)) == {"density": nothing, "coverage": nothing}
    assert measure("density_coverage", np.eye(6)[:1], np.eye(6), k=1)["coverage"].value is not None
