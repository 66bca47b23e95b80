"""Modes of Stacked MNIST, against what is known of the probabilities."""

import pytest
import torch
from scipy.stats import entropy
from torch import Tensor

from ganfw import MetricInputs, MetricValue, Registry, SampleSet


def measure(registry: Registry, probabilities: Tensor | None, count: int = 1) -> dict[str, MetricValue]:
    count = count if probabilities is None else len(probabilities)
    of_images = SampleSet(torch.zeros(count, 3, 28, 28, dtype=torch.uint8), torch.zeros(count, 3), probabilities)
    found: dict[str, MetricValue] = registry.load("metric", "stacked_modes")()(
        MetricInputs(samples=of_images, reference=of_images, training=of_images)
    )
    return found


def certain(numbers: Tensor) -> Tensor:
    """Return probabilities of which the greatest is that of the number, at 0.4 or so."""
    rest = torch.rand(len(numbers), 1000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    chosen = torch.nn.functional.one_hot(numbers, 1000) * 2
    return (rest + chosen) / (rest + chosen).sum(1, keepdim=True)


def test_modes_and_divergence_are_those_of_brute_force(registry: Registry) -> None:
    numbers = torch.randint(300, (2000,), generator=torch.Generator().manual_seed(1)) * 3
    found = measure(registry, certain(numbers))

    counts = [numbers.tolist().count(number) for number in range(1000)]
    assert found == {
        "stacked_modes_found": MetricValue(len(set(numbers.tolist())), "higher"),
        "stacked_mode_kl": MetricValue(pytest.approx(entropy(counts, [1] * 1000)), "lower"),
    }


def test_every_number_once_is_perfect(registry: Registry) -> None:
    found = measure(registry, certain(torch.arange(1000)))

    assert found["stacked_modes_found"].value == 1000
    assert found["stacked_mode_kl"].value == pytest.approx(0, abs=1e-12)


def test_divergence_of_26000_perfect_samples_is_the_one_that_the_docstring_says(registry: Registry) -> None:
    numbers = torch.randint(1000, (26_000,), generator=torch.Generator().manual_seed(2))
    probabilities = torch.nn.functional.one_hot(numbers, 1000).float()

    found = measure(registry, probabilities)

    assert found["stacked_modes_found"].value == 1000
    assert found["stacked_mode_kl"].value == pytest.approx(999 / 52_000, rel=0.22)  # 5 sigma of chi-square, 999 degrees


@pytest.mark.parametrize(("probabilities", "known"), [(None, "no"), (torch.full((4, 10), 0.1), "10")])
def test_another_embedding_gives_no_number(probabilities: Tensor | None, known: str, registry: Registry) -> None:
    reason = f"the embedding knows {known} classes, not 1000: use = 'stacked_mnist_classifier'"
    assert measure(registry, probabilities) == {
        "stacked_modes_found": MetricValue(None, "higher", reason),
        "stacked_mode_kl": MetricValue(None, "lower", reason),
    }
