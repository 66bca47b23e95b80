import pytest
import torch
from torch import Tensor

from ganfw import DataError, TensorData


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


def test_hash_sees_further_entries_and_their_names() -> None:
    samples, entry = torch.zeros(4, 2), torch.arange(4)
    variants = [TensorData(samples, more=more) for more in ({}, {"a": entry}, {"b": entry}, {"a": entry + 1})]

    assert len({data.sha256() for data in variants}) == len(variants)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"labels": torch.zeros(3)}, "a further entry cannot be called 'labels'"),
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
