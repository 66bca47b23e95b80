import math
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from ganfw import DataError, TensorData
from ganfw.data import data_licence

if TYPE_CHECKING:
    from torch.utils.data import Dataset


def test_hash_sees_samples_labels_dtype_and_shape() -> None:
    samples, labels = torch.zeros(4, 2, dtype=torch.uint8), torch.zeros(4, dtype=torch.int64)
    changed = samples.clone()
    changed[3, 1] = 1
    variants = [
        TensorData(samples, labels),
        TensorData(changed, labels),
        TensorData(samples, labels + 1),
        TensorData(samples),
        TensorData(samples.float(), labels),
        TensorData(samples.reshape(4, 2, 1), labels),
    ]

    assert len({data.sha256() for data in variants}) == len(variants)
    assert TensorData(samples.clone(), labels.clone()).sha256() == variants[0].sha256()


def test_data_says_its_licence_or_nothing() -> None:
    said = TensorData(torch.zeros(4, 2), licence="CC-BY-4.0")

    assert data_licence(said.to(torch.device("cpu"))) == "CC-BY-4.0"
    assert data_licence(TensorData(torch.zeros(4, 2))) is None
    assert data_licence(cast("Dataset[Any]", [])) is None


@pytest.mark.parametrize(
    ("samples", "labels", "message"),
    [
        (
            torch.zeros(3, 2, dtype=torch.float64),
            None,
            "samples must be (size, …) uint8 or float32 with size >= 1, not (3, 2) torch.float64",
        ),
        (
            torch.zeros(0, 2),
            None,
            "samples must be (size, …) uint8 or float32 with size >= 1, not (0, 2) torch.float32",
        ),
        (torch.zeros(3), None, "samples must be (size, …) uint8 or float32 with size >= 1, not (3,) torch.float32"),
        (torch.zeros(3, 2), torch.zeros(2), "labels must be (3,), not (2,)"),
        (
            torch.zeros(3, 2),
            torch.zeros(3, dtype=torch.uint8),
            "labels must be torch.int64 classes or torch.float32, not torch.uint8",
        ),
    ],
)
def test_data_of_a_wrong_form_is_refused(samples: Tensor, labels: Tensor | None, message: str) -> None:
    with pytest.raises(DataError) as caught:
        TensorData(samples, labels)
    assert str(caught.value) == message


def late(shape: tuple[int, ...], value: float) -> Tensor:
    """Return 200 samples of zeros, but for one value of sample 100."""
    samples = torch.zeros(200, *shape)
    samples[100].view(-1)[-1] = value
    return samples


@pytest.mark.parametrize(
    ("samples", "labels", "message"),
    [
        (
            late((1, 2, 2), 255),
            None,
            "has the value 255: samples must be in [0, 1]; divide by 255, or keep them uint8",
        ),
        (late((1, 2, 2), -1), None, "has the value -1: samples must be in [0, 1]"),
        (late((1, 2, 2), math.nan), None, "has the value nan: samples must be in [0, 1]"),
        (late((2,), math.inf), None, "has the value inf: samples must be finite"),
        (
            late((2,), 0),
            late((), 10).long(),
            "has the label 10: labels must be classes from 0 to 9, or -1 for none",
        ),
        (
            late((2,), 0),
            late((), -2).long(),
            "has the label -2: labels must be classes from 0 to 9, or -1 for none",
        ),
        (late((2,), 0), late((3,), math.nan), "has the label nan: labels must be finite"),
    ],
)
def test_data_is_checked_to_its_last_value(samples: Tensor, labels: Tensor | None, message: str) -> None:
    with pytest.raises(DataError) as caught:
        TensorData(samples, labels, 10)
    assert str(caught.value) == f"sample 100 of the data {message}"


def test_what_has_another_range_says_so() -> None:
    assert len(TensorData(late((1, 2, 2), -1), value_range=(-1, 1))) == 200


def test_images_with_their_channels_last_are_refused() -> None:
    with pytest.raises(DataError) as caught:
        TensorData(torch.zeros(4, 32, 32, 3))
    assert str(caught.value) == (
        "a sample is (32, 32, 3), which looks like (height, width, channels); images must be (channels, height, "
        "width): permute(2, 0, 1) of one, permute(0, 3, 1, 2) of all"
    )


def test_numpy_arrays_are_taken() -> None:
    entries: Any = {"mask": np.ones((4, 1), np.uint8)}
    data = TensorData(np.zeros((4, 1, 2, 2), np.uint8), np.arange(4), 4, more=entries)

    assert torch.equal(data.entries()["labels"], torch.arange(4))
    assert torch.equal(data.entries()["mask"], torch.ones(4, 1, dtype=torch.uint8))
    assert data.sample_shape == (1, 2, 2)


def test_hash_sees_further_entries_and_their_names() -> None:
    samples, entry = torch.zeros(4, 2), torch.arange(4)
    variants = [TensorData(samples, more=more) for more in ({}, {"a": entry}, {"b": entry}, {"a": entry + 1})]

    assert len({data.sha256() for data in variants}) == len(variants)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"labels": torch.zeros(3)}, "a further entry cannot be called 'labels'; rename it"),
        ({"mask": torch.zeros(2)}, "entry 'mask' must have 3 rows, not (2,)"),
        (
            {"mask": torch.zeros(3, dtype=torch.float64)},
            "entry 'mask' must be torch.uint8, torch.int64 or torch.float32, not torch.float64",
        ),
    ],
)
def test_a_further_entry_of_a_wrong_form_is_refused(more: dict[str, Tensor], message: str) -> None:
    with pytest.raises(DataError) as caught:
        TensorData(torch.zeros(3, 2), more=more)
    assert str(caught.value) == message


def test_what_is_shown_of_data_is_its_size_and_shape() -> None:
    assert repr(TensorData(torch.zeros(1500, 1, 2, 3))) == "TensorData(1,500 samples of 1 x 2 x 3)"
