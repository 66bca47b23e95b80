"""The embedding of Stacked MNIST, against the classifier of digits on each channel alone."""

import pytest
import torch

from ganfw import InputError, Registry, TensorData

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def stacked(registry: Registry) -> TensorData:
    data = registry.load("data", "stacked_mnist")(split="test", size=2000)
    assert isinstance(data, TensorData)
    return data


def test_features_are_those_of_the_channels(registry: Registry, stacked: TensorData) -> None:
    digits = registry.load("embedding", "mnist_classifier")((1, 28, 28), CPU)
    features, probabilities = registry.load("embedding", "stacked_mnist_classifier")((3, 28, 28), CPU)(
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


def test_nearly_every_number_is_read(registry: Registry, stacked: TensorData) -> None:
    _, probabilities = registry.load("embedding", "stacked_mnist_classifier")((3, 28, 28), CPU)(stacked.samples)

    assert stacked.labels is not None
    assert float((probabilities.argmax(1) == stacked.labels).double().mean()) > 0.96  # 99.2 % of digits, three times


def test_the_identity_tells_the_classifiers_file(registry: Registry) -> None:
    digits = registry.load("embedding", "mnist_classifier")((1, 28, 28), CPU)
    embedding = registry.load("embedding", "stacked_mnist_classifier")((3, 28, 28), CPU)

    assert embedding.identity == f"stacked_{digits.identity}"


def test_other_images_are_refused(registry: Registry) -> None:
    with pytest.raises(InputError) as caught:
        registry.load("embedding", "stacked_mnist_classifier")((1, 28, 28), CPU)
    assert str(caught.value) == (
        "stacked_mnist_classifier knows images of 3 x 28 x 28, and the samples are 1 x 28 x 28"
    )
