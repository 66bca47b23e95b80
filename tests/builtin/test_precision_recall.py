"""Precision and recall against their definition in loops."""

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
