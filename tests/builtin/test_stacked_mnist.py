"""Stacked MNIST, against the digits that it is made of."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from ganfw import DataError, Registry, TensorData


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


def test_a_missing_copy_of_mnist_is_told(registry: Registry, tmp_path: object) -> None:
    with pytest.raises(DataError) as caught:
        registry.load("data", "stacked_mnist")(root=str(tmp_path))
    name = "train-images-idx3-ubyte"
    path = f"{tmp_path}/MNIST/raw/{name}"
    assert str(caught.value) == f"{path}: no such file, zipped or not; data.root must hold MNIST/raw/{name}"
