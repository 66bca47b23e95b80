"""Stacked MNIST, its embedding and its modes, against the digits that it is made of."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, entropy
from torch import Tensor

from ganfw import DataError, InputError, MetricInputs, MetricValue, Registry, SampleSet, TensorData


@pytest.fixture(scope="module")
def stacked(registry: Registry) -> TensorData:
    data = registry.load("data", "stacked_mnist")(split="test", size=20_000)
    assert isinstance(data, TensorData)
    return data


def test_images_have_three_channels_and_a_label_of_three_digits(stacked: TensorData) -> None:
    assert (stacked.samples.shape, stacked.samples.dtype) == ((20_000, 3, 28, 28), torch.uint8)
    assert stacked.labels is not None
    assert (stacked.labels.shape, stacked.labels.dtype, stacked.num_classes) == ((20_000,), torch.int64, 1000)


def test_each_channel_is_a_digit_of_mnist_and_the_label_their_number(registry: Registry, stacked: TensorData) -> None:
    digits = registry.load("data", "mnist")(split="test")
    named = {image.numpy().tobytes(): int(label) for image, label in zip(digits.samples, digits.labels, strict=True)}
    assert len(named) == 10_000
    assert stacked.labels is not None

    for image, label in zip(stacked.samples[:500], stacked.labels[:500], strict=True):
        hundreds, tens, units = (named[channel[None].numpy().tobytes()] for channel in image)
        assert int(label) == int(f"{hundreds}{tens}{units}")


def test_channels_are_independent_and_drawn_from_all_digits(registry: Registry, stacked: TensorData) -> None:
    digits = registry.load("data", "mnist")(split="test")
    shares = torch.bincount(digits.labels, minlength=10).double() / 10_000
    expected = torch.einsum("a,b,c->abc", shares, shares, shares).flatten() * 20_000
    assert stacked.labels is not None

    assert chisquare(np.bincount(stacked.labels.numpy(), minlength=1000), expected.numpy()).pvalue > 0.01


def test_images_follow_from_seed_and_split_alone(registry: Registry) -> None:
    load = registry.load("data", "stacked_mnist")
    first = load(size=100)

    assert first.sha256() == load(size=100).sha256()
    assert len({data.sha256() for data in (first, load(size=100, split="test"), load(size=100, seed=1))}) == 3


def test_a_missing_copy_of_mnist_is_reported(registry: Registry, tmp_path: object) -> None:
    with pytest.raises(DataError) as caught:
        registry.load("data", "stacked_mnist")(root=str(tmp_path))
    name = "train-images-idx3-ubyte"
    path = f"{tmp_path}/MNIST/raw/{name}"
    assert str(caught.value) == f"{path}: no such file, zipped or not; data.root must hold MNIST/raw/{name}"


def test_features_are_those_of_the_channels(device: torch.device, registry: Registry, stacked: TensorData) -> None:
    digits = registry.load("embedding", "mnist_classifier")((1, 28, 28), device)
    features, probabilities = registry.load("embedding", "stacked_mnist_classifier")((3, 28, 28), device)(
        stacked.samples[:50]
    )

    alone = [digits(stacked.samples[:50, channel : channel + 1]) for channel in range(3)]
    torch.testing.assert_close(features, torch.cat([each[0] for each in alone], dim=1))
    for row, number in ((0, 0), (1, 7), (2, 123), (3, 999), (4, 40)):
        expected = 1.0
        for channel, digit in enumerate(f"{number:03}"):
            expected *= float(alone[channel][1][row, int(digit)])
        assert float(probabilities[row, number]) == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(50))


def test_nearly_every_number_is_read(device: torch.device, registry: Registry, stacked: TensorData) -> None:
    _, probabilities = registry.load("embedding", "stacked_mnist_classifier")((3, 28, 28), device)(
        stacked.samples[:2000]
    )

    assert stacked.labels is not None
    assert (
        float((probabilities.argmax(1) == stacked.labels[:2000]).double().mean()) > 0.96
    )  # 99.2 % of digits, three times


def test_the_identity_tells_the_classifiers_file(device: torch.device, registry: Registry) -> None:
    digits = registry.load("embedding", "mnist_classifier")((1, 28, 28), device)
    embedding = registry.load("embedding", "stacked_mnist_classifier")((3, 28, 28), device)

    assert embedding.identity == f"stacked_{digits.identity}"


def test_other_images_are_refused(device: torch.device, registry: Registry) -> None:
    with pytest.raises(InputError) as caught:
        registry.load("embedding", "stacked_mnist_classifier")((1, 28, 28), device)
    assert str(caught.value) == (
        "stacked_mnist_classifier needs images of 3 x 28 x 28, but the samples are 1 x 28 x 28"
    )


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
