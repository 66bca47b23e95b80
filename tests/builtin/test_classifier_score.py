"""What a classifier makes of samples, against scipy's entropies."""

import math
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ganfw import MetricValue

Measure = Callable[..., Mapping[str, MetricValue]]


def classify(measure: Measure, samples: np.ndarray, reference: np.ndarray, **keys: float) -> Mapping[str, MetricValue]:
    features = (np.zeros((len(samples), 1)), np.zeros((len(reference), 1)))
    return measure("classifier_score", *features, probabilities=(samples, reference), **keys)


def soft(random: np.random.Generator) -> np.ndarray:
    return random.dirichlet(np.linspace(0.2, 2, 10), size=500)


def sure(random: np.random.Generator) -> np.ndarray:
    """Return probabilities that are 0 and 1."""
    return np.eye(10)[random.choice(7, size=500)]


def one_class(_random: np.random.Generator) -> np.ndarray:
    return np.tile(np.eye(10)[3], (500, 1))


def undecided(_random: np.random.Generator) -> np.ndarray:
    return np.full((500, 10), 0.1)


@pytest.mark.parametrize("kind", [soft, sure, one_class, undecided])
def test_numbers_are_those_of_their_definitions(
    measure: Measure, kind: Callable[[np.random.Generator], np.ndarray]
) -> None:
    random = np.random.default_rng(0)
    samples, reference = kind(random), np.vstack([soft(random), np.eye(10)])
    histogram = np.bincount(samples.argmax(1), minlength=10) / 500
    real = np.bincount(reference.argmax(1), minlength=10) / 510

    result = classify(measure, samples, reference)

    score = math.exp(stats.entropy(samples, samples.mean(0, keepdims=True), axis=1).mean())
    assert result["classifier_score"] == MetricValue(pytest.approx(score, rel=1e-9), "higher")
    assert result["class_histogram"] == MetricValue(tuple(histogram))
    assert result["class_kl"] == MetricValue(pytest.approx(stats.entropy(histogram, real), rel=1e-9), "lower")
    assert result["classes_found"] == MetricValue((histogram >= 0.1 * real).sum(), "higher")


def test_score_is_the_number_of_classes_at_best_and_1_at_worst(measure: Measure) -> None:
    best = np.repeat(np.eye(10), 7, axis=0)

    assert classify(measure, best, best)["classifier_score"].value == pytest.approx(10, rel=1e-12)
    assert classify(measure, best[:7], best)["classifier_score"].value == pytest.approx(1, rel=1e-12)


def test_divergence_is_of_the_samples_from_the_reference(measure: Measure) -> None:
    half, quarter = np.eye(2)[[0, 1]], np.eye(2)[[0, 1, 1, 1]]

    assert classify(measure, half, quarter)["class_kl"].value == pytest.approx(math.log(4 / 3) / 2, rel=1e-12)
    assert classify(measure, quarter, half)["class_kl"].value == pytest.approx(0.75 * math.log(3) - math.log(2))
    assert classify(measure, half, half)["class_kl"].value == 0


def test_a_class_is_found_from_a_part_of_its_real_share(measure: Measure) -> None:
    reference = np.eye(4)[[0, 0, 1, 1, 2, 2, 3, 3]]
    samples = np.eye(4)[[0] * 958 + [1] * 25 + [2] * 17]

    assert classify(measure, samples, reference)["classes_found"].value == 2
    assert classify(measure, samples, reference, min_share=0.05)["classes_found"].value == 3
    assert classify(measure, samples, reference, min_share=0.0)["classes_found"].value == 3


def test_a_class_that_is_not_real_is_not_found_and_has_no_divergence(measure: Measure) -> None:
    result = classify(measure, np.eye(3), np.eye(3)[:2], min_share=0.0)

    assert result["class_kl"] == MetricValue(
        None, "lower", "infinite: no reference sample is predicted to be of class 2"
    )
    assert result["classes_found"].value == 2


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 30))
def test_numbers_stay_in_their_ranges(measure: Measure, seed: int, classes: int, count: int) -> None:
    samples = np.random.default_rng(seed).dirichlet(np.full(classes, 0.3), size=count)

    result = classify(measure, samples, np.eye(classes))

    assert 1 - 1e-12 <= result["classifier_score"].value <= classes + 1e-9
    assert sum(result["class_histogram"].value) == pytest.approx(1)
    assert 0 <= result["class_kl"].value <= math.log(classes) + 1e-12
    assert 1 <= result["classes_found"].value <= classes


def reasons(result: Mapping[str, MetricValue]) -> set[str]:
    assert list(result) == ["classifier_score", "class_histogram", "class_kl", "classes_found"]
    assert {each.value for each in result.values()} == {None}
    return {each.reason for each in result.values()}


def test_without_probabilities_or_samples_there_are_no_numbers(measure: Measure) -> None:
    rows = np.zeros((5, 2))

    nothing = measure("classifier_score", rows, rows)
    assert reasons(nothing) == {"the embedding gives no probabilities of classes"}
    assert reasons(classify(measure, rows[:0], rows)) == {"too few samples: 0; a mean needs at least 1"}
    assert reasons(classify(measure, rows * np.nan, rows)) == {"not all numbers of the samples are finite"}
