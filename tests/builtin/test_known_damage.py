"""What is done to real digits moves the metrics that should see it, in the right direction.

The features are the means of the 7 x 7 tiles of 4 x 4 pixels; the probabilities are those of the nearest mean digit.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ganfw import MetricInputs, Registry, SampleSet, TensorData

Evaluator = Callable[[Tensor], dict[str, float]]

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
def judge(registry: Registry, digits: TensorData) -> Evaluator:
    """Return a function from `(n, 1, 28, 28)` uint8 to all numbers, lists left out."""
    training, labels = digits.samples[:6000], digits.labels[:6000]
    reference = registry.load("data", "mnist")(split="test").samples[::10]  # its first half is of one source
    means = torch.stack([tiles(training)[labels == digit].mean(0) for digit in range(10)])

    def embedded(images: Tensor) -> SampleSet:
        features = tiles(images)
        return SampleSet(images, features, (-20 * torch.cdist(features, means).square()).softmax(1))

    real, seen = embedded(reference), embedded(training)

    def judge(images: Tensor) -> dict[str, float]:
        inputs = MetricInputs(samples=embedded(images), reference=real, training=seen)
        found = {}
        for part in PARTS:
            found |= registry.load("metric", part)()(inputs)
        return {name: measured.value for name, measured in found.items() if not isinstance(measured.value, tuple)}

    return judge


@pytest.fixture(scope="module")
def floor(judge: Evaluator, fresh: Tensor) -> dict[str, float]:
    return judge(fresh)


def tiles(images: Tensor) -> Tensor:
    """Return `(n, 49)` float64 in [0, 1]."""
    return avg_pool2d(images.double() / 255, 4).flatten(1)


def test_fresh_digits_are_as_good_as_real(floor: dict[str, float]) -> None:
    assert floor["frechet_distance"] < 0.2
    assert floor["frechet_distance_infinite"] < floor["frechet_distance"]
    assert floor["kernel_distance"] < 2e-3
    assert min(floor["precision"], floor["recall"], floor["coverage"]) > 0.7
    assert floor["density"] == pytest.approx(1, abs=0.2)
    assert floor["classes_found"] == 10
    assert floor["class_kl"] < 0.02
    assert floor["nearest_neighbour_ratio"] == pytest.approx(1, abs=0.1)
    assert floor["diversity"] == pytest.approx(1, abs=0.03)


def test_blur_costs_distance_and_coverage(judge: Evaluator, fresh: Tensor, floor: dict[str, float]) -> None:
    blurred = judge(avg_pool2d(fresh.double(), 9, stride=1, padding=4).round().byte())

    assert blurred["frechet_distance"] > 5 * floor["frechet_distance"]
    assert blurred["kernel_distance"] > 3 * abs(floor["kernel_distance"])
    assert blurred["recall"] < floor["recall"] - 0.3
    assert blurred["coverage"] < floor["coverage"] - 0.3
    assert blurred["diversity"] < 0.8
    assert blurred["classifier_score"] < floor["classifier_score"]


def test_noise_costs_precision_and_density(judge: Evaluator, fresh: Tensor, floor: dict[str, float]) -> None:
    random = torch.Generator().manual_seed(0)
    noise = 150 * torch.randn(fresh.shape, generator=random, dtype=torch.float64)
    noisy = judge((fresh + noise).clamp(0, 255).round().byte())

    assert noisy["frechet_distance"] > 5 * floor["frechet_distance"]
    assert noisy["kernel_distance"] > 3 * abs(floor["kernel_distance"])
    assert noisy["precision"] < floor["precision"] - 0.3
    assert noisy["density"] < floor["density"] - 0.3
    assert noisy["nearest_neighbour_ratio"] > 1.2


def test_dropped_classes_cost_recall_and_are_not_found(
    judge: Evaluator, digits: TensorData, floor: dict[str, float]
) -> None:
    ones = digits.samples[10_000:][digits.labels[10_000:] == 1][:COUNT]
    dropped = judge(ones)

    assert dropped["classes_found"] < 4
    assert dropped["class_kl"] > 1
    assert dropped["recall"] < floor["recall"] - 0.3
    assert dropped["coverage"] < floor["coverage"] - 0.3
    assert dropped["frechet_distance"] > 5 * floor["frechet_distance"]
    assert dropped["classifier_score"] < floor["classifier_score"] / 2
    assert dropped["diversity"] < 0.8
    assert dropped["precision"] > 0.7


def test_duplicates_cost_recall_and_coverage(judge: Evaluator, fresh: Tensor, floor: dict[str, float]) -> None:
    few = judge(fresh[:10].repeat(COUNT // 10, 1, 1, 1))

    assert few["precision"] > 0.5
    assert few["recall"] < 0.05
    assert few["coverage"] < floor["coverage"] / 2
    assert few["frechet_distance"] > 5 * floor["frechet_distance"]
    assert few["kernel_distance"] > 3 * abs(floor["kernel_distance"])


def test_one_image_has_no_diversity(judge: Evaluator, fresh: Tensor) -> None:
    one = judge(fresh[:1].repeat(COUNT, 1, 1, 1))

    assert one["diversity"] == 0
    assert one["recall"] == 0
    assert one["classes_found"] == 1
    assert one["classifier_score"] == pytest.approx(1)


def test_a_copy_of_the_training_set_looks_perfect_but_to_the_nearest_neighbours(
    judge: Evaluator, digits: TensorData, floor: dict[str, float]
) -> None:
    copied = judge(digits.samples[:COUNT])

    assert copied["nearest_neighbour_distance"] == 0
    assert copied["nearest_neighbour_ratio"] == 0
    assert floor["nearest_neighbour_distance"] > 0
    for name in ("precision", "recall", "density", "coverage", "diversity"):
        assert copied[name] == pytest.approx(floor[name], abs=0.1)
    assert copied["frechet_distance"] < 2 * floor["frechet_distance"]
