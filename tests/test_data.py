import random
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ganfw import Batch, DataError, TensorData
from ganfw.training.batches import Batches

CPU = torch.device("cpu")
SIZE = 23


def numbered(size: int = SIZE) -> TensorData:
    """Return data whose samples and labels tell their index."""
    return TensorData(torch.arange(size, dtype=torch.float32).reshape(size, 1), torch.arange(size), num_classes=size)


class Noisy(Dataset[Any]):
    """A torch data set with a random transform, as augmentations are."""

    classes = ["even", "odd"]  # noqa: RUF012 - as torchvision's data sets have it

    def __len__(self) -> int:
        return SIZE

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return torch.full((1, 2, 2), index / SIZE) + torch.rand(1, 2, 2) / 100 + random.random() / 100, index % 2


def collect(batches: Batches, epoch: int, first_batch: int = 0) -> list[Batch]:
    return list(batches.epoch(epoch, first_batch))


def test_every_sample_is_served_once_an_epoch_with_its_label_and_the_short_batch_kept() -> None:
    served = collect(Batches(numbered(), 5, 0, CPU), 0)

    assert [len(batch.samples) for batch in served] == [5, 5, 5, 5, 3]
    assert sorted(torch.cat([batch.labels for batch in served]).tolist()) == list(range(SIZE))
    assert all(torch.equal(batch.samples[:, 0].long(), batch.labels) for batch in served)


def test_order_differs_between_epochs_and_seeds_and_repeats_with_the_same() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return torch.cat([batch.labels for batch in collect(Batches(numbered(), 5, seed, CPU), epoch)]).tolist()

    assert order(0, 0) == order(0, 0)
    assert len({tuple(order(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9


@pytest.mark.parametrize("data", [numbered(), Noisy()], ids=["in memory", "torch data set"])
def test_an_epoch_can_be_entered_anywhere(data: Any) -> None:
    batches = Batches(data, 5, 0, CPU, workers=0)

    whole, rest = collect(batches, 2), collect(batches, 2, first_batch=3)

    assert len(rest) == 2
    for expected, actual in zip(whole[3:], rest, strict=True):
        assert torch.equal(actual.samples, expected.samples)
        assert torch.equal(actual.labels, expected.labels)


def test_uint8_images_become_floats_in_0_to_1() -> None:
    images = torch.arange(256, dtype=torch.uint8).reshape(256, 1, 1, 1)

    (batch,) = collect(Batches(TensorData(images), 256, 0, CPU), 0)

    assert batch.labels is None
    assert torch.equal(batch.samples.flatten().sort().values, torch.arange(256) / 255)
    assert images.dtype == torch.uint8


@pytest.mark.parametrize("workers", [1, 2])
def test_random_transforms_do_not_depend_on_the_number_of_workers(workers: int) -> None:
    expected = collect(Batches(Noisy(), 5, 0, CPU, workers=0), 1)

    for left, right in zip(expected, collect(Batches(Noisy(), 5, 0, CPU, workers=workers), 1), strict=True):
        assert torch.equal(left.samples, right.samples)


def test_random_transforms_differ_between_epochs() -> None:
    batches = Batches(Noisy(), SIZE, 0, CPU, workers=0)
    first, second = (collect(batches, epoch)[0].samples.sum() for epoch in (0, 1))

    assert first != second


def test_shape_and_classes_are_found_in_a_torch_data_set() -> None:
    batches = Batches(Noisy(), 5, 0, CPU)

    assert (batches.sample_shape, batches.num_classes, batches.size, batches.per_epoch) == ((1, 2, 2), 2, SIZE, 5)


def test_first_gives_samples_in_the_order_of_the_data() -> None:
    assert Batches(numbered(), 5, 0, CPU).first(3).samples.flatten().tolist() == [0, 1, 2]
    assert len(Batches(numbered(), 5, 0, CPU).first(99).samples) == SIZE
    assert Batches(Noisy(), 5, 0, CPU).first(3).labels.tolist() == [0, 1, 0]


def test_a_torch_data_set_may_give_samples_without_labels() -> None:
    class Plain(Noisy):
        def __getitem__(self, index: int) -> Any:
            return super().__getitem__(index)[0]

    (batch,) = collect(Batches(Plain(), SIZE, 0, CPU, workers=0), 0)

    assert (batch.samples.shape, batch.labels) == ((SIZE, 1, 2, 2), None)


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
    ],
)
def test_data_of_a_wrong_form_is_refused(samples: Tensor, labels: Tensor | None, message: str) -> None:
    with pytest.raises(DataError) as caught:
        TensorData(samples, labels)
    assert str(caught.value) == message


def test_a_torch_data_set_without_length_is_refused() -> None:
    class Endless(Dataset[Any]):
        def __getitem__(self, index: int) -> Tensor:
            return torch.zeros(1)

    with pytest.raises(DataError) as caught:
        Batches(Endless(), 5, 0, CPU)
    assert str(caught.value) == "a torch data set must have a length of at least 1"
