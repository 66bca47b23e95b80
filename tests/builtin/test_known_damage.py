"""What is done to real digits moves the metrics that should see it, in the right direction.

The features are the means of the 7 x 7 tiles of 4 x 4 pixels; the probabilities are those of the nearest mean digit.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ganfw import MetricInputs, Registry, SampleSet, TensorData

Measure = Callable[[Tensor], dict[str, float]]

PARTS = (
    "frechet_distance",
    "kernel_distance",
    "precision_recall",
    "density_coverage",
    "classifier_score",
    "nearest_neighbours",
    "diversity",
)
COUNT = 1000


@pytest.fixture(scope="module")
def digits(registry: Registry) -> TensorData:
    return registry.load("data", "mnist")(split="train")


@pytest.fixture(scope="module")
def fresh(digits: TensorData) -> Tensor:
    """Return real digits that are in no other set."""
    return digits.samples[10_000 : 10_000 + COUNT]


@pytest.fixture(scope="module")
def measure(registry: Registry, digits: TensorData) -> Measure:
    """Return a function from `(n, 1, 28, 28)` uint8 to all numbers, lists left out."""
    training, labels = digits.samples[:6000], digits.labels[:6000]
    reference = registry.load("data", "mnist")(split="test").samples[::10]  # its first half is of one source
    means = torch.stack([tiles(training)[labels == digit].mean(0) for digit in range(10)])

    def embedded(images: Tensor) -> SampleSet:
        features = tiles(images)
        return SampleSet(images, features, (-20 * torch.cdist(features, means).square()).softmax(1))

    real, seen = embedded(reference), embedded(training)

    def measure(images: Tensor) -> dict[str, float]:
        inputs = MetricInputs(samples=embedded(images), reference=real, training=seen)
        found = {}
        for part in PARTS:
            found |= registry.load("metric", part)()(inputs)
        return {name: result.value for name, result in found.items() if not isinstance(result.value, tuple)}

    return measure


@pytest.fixture(scope="module")
def real_data(measure: Measure, fresh: Tensor) -> dict[str, float]:
    return measure(fresh)


def tiles(images: Tensor) -> Tensor:
    """Return `(n, 49)` float64 in [0, 1]."""
    return avg_pool2d(images.double() / 255, 4).flatten(1)


def test_fresh_digits_are_as_good_as_real(real_data: dict[str, float]) -> None:
    assert real_data["frechet_distance"] < 0.2
    assert real_data["frechet_distance_infinite"] < real_data["frechet_distance"]
    assert real_data["kernel_distance"] < 2e-3
    assert min(real_data["precision"], real_data["recall"], real_data["coverage"]) > 0.7
    assert real_data["density"] == pytest.approx(1, abs=0.2)
    assert real_data["classes_found"] == 10
    assert real_data["class_kl"] < 0.02
    assert real_data["nearest_neighbour_ratio"] == pytest.approx(1, abs=0.1)
    assert real_data["diversity"] == pytest.approx(1, abs=0.03)


def test_blur_costs_distance_and_coverage(measure: Measure, fresh: Tensor, real_data: dict[str, float]) -> None:
    blurred = measure(avg_pool2d(fresh.double(), 9, stride=1, padding=4).round().byte())

    assert blurred["frechet_distance"] > 5 * real_data["frechet_distance"]
    assert blurred["kernel_distance"] > 3 * abs(real_data["kernel_distance"])
    assert blurred["recall"] < real_data["recall"] - 0.3
    assert blurred["coverage"] < real_data["coverage"] - 0.3
    assert blurred["diversity"] < 0.8
    assert blurred["classifier_score"] < real_data["classifier_score"]


def test_noise_costs_precision_and_density(measure: Measure, fresh: Tensor, real_data: dict[str, float]) -> None:
    random = torch.Generator().manual_seed(0)
    noise = 150 * torch.randn(fresh.shape, generator=random, dtype=torch.float64)
    noisy = measure((fresh + noise).clamp(0, 255).round().byte())

    assert noisy["frechet_distance"] > 5 * real_data["frechet_distance"]
    assert noisy["kernel_distance"] > 3 * abs(real_data["kernel_distance"])
    assert noisy["precision"] < real_data["precision"] - 0.3
    assert noisy["density"] < real_data["density"] - 0.3
    assert noisy["nearest_neighbour_ratio"] > 1.2


def test_dropped_classes_cost_recall_and_are_not_found(
    measure: Measure, digits: TensorData, real_data: dict[str, float]
) -> None:
    ones = digits.samples[10_000:][digits.labels[10_000:] == 1][:COUNT]
    dropped = measure(ones)

    assert dropped["classes_found"] < 4
    assert dropped["class_kl"] > 1
    assert dropped["recall"] < real_data["recall"] - 0.3
    assert dropped["coverage"] < real_data["coverage"] - 0.3
    assert dropped["frechet_distance"] > 5 * real_data["frechet_distance"]
    assert dropped["classifier_score"] < real_data["classifier_score"] / 2
    assert dropped["diversity"] < 0.8
    assert dropped["precision"] > 0.7


def test_duplicates_cost_recall_and_coverage(measure: Measure, fresh: Tensor, real_data: dict[str, float]) -> None:
    few = measure(fresh[:10].repeat(COUNT // 10, 1, 1, 1))

    assert few["precision"] > 0.5
    assert few["recall"] < 0.05
    assert few["coverage"] < real_data["coverage"] / 2
    assert few["frechet_distance"] > 5 * real_data["frechet_distance"]
    assert few["kernel_distance"] > 3 * abs(real_data["kernel_distance"])


def test_one_image_has_no_diversity(measure: Measure, fresh: Tensor) -> None:
    one = measure(fresh[:1].repeat(COUNT, 1, 1, 1))

    assert one["diversity"] == 0
    assert one["recall"] == 0
    assert one["classes_found"] == 1
    assert one["classifier_score"] == pytest.approx(1)


def test_a_copy_of_the_training_set_looks_perfect_but_to_the_nearest_neighbours(
    measure: Measure, digits: TensorData, real_data: dict[str, float]
) -> None:
    copied = measure(digits.samples[:COUNT])

    assert copied["nearest_neighbour_distance"] == 0
    assert copied["nearest_neighbour_ratio"] == 0
    assert real_data["nearest_neighbour_distance"] > 0
    for name in ("precision", "recall", "density", "coverage", "diversity"):
        assert copied[name] == pytest.approx(real_data[name], abs=0.1)
    assert copied["frechet_distance"] < 2 * real_data["frechet_distance"]
