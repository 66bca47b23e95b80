import math
import os
import random
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from ganfw import Batch, DataError, TensorData
from ganfw.training.batches import Batches
from ganfw.training.items import lost_worker

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


def test_every_sample_is_served_once_an_epoch_with_its_label_and_the_short_batch_kept(device: torch.device) -> None:
    served = collect(Batches(numbered(), 5, 0, device), 0)

    assert [len(batch.samples) for batch in served] == [5, 5, 5, 5, 3]
    assert sorted(torch.cat([batch.labels for batch in served]).tolist()) == list(range(SIZE))
    assert all(torch.equal(batch.samples[:, 0].long(), batch.labels) for batch in served)


def test_order_differs_between_epochs_and_seeds_and_repeats_with_the_same(device: torch.device) -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return torch.cat([batch.labels for batch in collect(Batches(numbered(), 5, seed, device), epoch)]).tolist()

    assert order(0, 0) == order(0, 0)
    assert len({tuple(order(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9


@pytest.mark.parametrize("data", [numbered(), Noisy()], ids=["in memory", "torch data set"])
def test_an_epoch_can_be_entered_anywhere(device: torch.device, data: Any) -> None:
    batches = Batches(data, 5, 0, device, workers=0)

    whole, rest = collect(batches, 2), collect(batches, 2, first_batch=3)

    assert len(rest) == 2
    for expected, actual in zip(whole[3:], rest, strict=True):
        assert torch.equal(actual.samples, expected.samples)
        assert torch.equal(actual.labels, expected.labels)


def test_uint8_images_become_floats_in_0_to_1(device: torch.device) -> None:
    images = torch.arange(256, dtype=torch.uint8).reshape(256, 1, 1, 1)

    (batch,) = collect(Batches(TensorData(images), 256, 0, device), 0)

    assert batch.labels is None
    assert torch.equal(batch.samples.flatten().sort().values, torch.arange(256) / 255)
    assert images.dtype == torch.uint8


@pytest.mark.parametrize("workers", [1, 2])
def test_random_transforms_do_not_depend_on_the_number_of_workers(device: torch.device, workers: int) -> None:
    expected = collect(Batches(Noisy(), 5, 0, device, workers=0), 1)

    for left, right in zip(expected, collect(Batches(Noisy(), 5, 0, device, workers=workers), 1), strict=True):
        assert torch.equal(left.samples, right.samples)


def test_random_transforms_differ_between_epochs(device: torch.device) -> None:
    batches = Batches(Noisy(), SIZE, 0, device, workers=0)
    first, second = (collect(batches, epoch)[0].samples.sum() for epoch in (0, 1))

    assert first != second


def test_shape_and_classes_are_found_in_a_torch_data_set(device: torch.device) -> None:
    batches = Batches(Noisy(), 5, 0, device)

    assert (batches.sample_shape, batches.num_classes, batches.size, batches.per_epoch) == ((1, 2, 2), 2, SIZE, 5)


def test_first_gives_samples_in_the_order_of_the_data(device: torch.device) -> None:
    assert Batches(numbered(), 5, 0, device).first(3).samples.flatten().tolist() == [0, 1, 2]
    assert len(Batches(numbered(), 5, 0, device).first(99).samples) == SIZE
    assert Batches(Noisy(), 5, 0, device).first(3).labels.tolist() == [0, 1, 0]


def test_a_torch_data_set_may_give_samples_without_labels(device: torch.device) -> None:
    class Plain(Noisy):
        def __getitem__(self, index: int) -> Any:
            return super().__getitem__(index)[0]

    (batch,) = collect(Batches(Plain(), SIZE, 0, device, workers=0), 0)

    assert (batch.samples.shape, batch.labels) == ((SIZE, 1, 2, 2), None)


def test_a_torch_data_set_without_length_is_refused(device: torch.device) -> None:
    class Endless(Dataset[Any]):
        def __getitem__(self, index: int) -> Tensor:
            return torch.zeros(1)

    with pytest.raises(DataError) as caught:
        Batches(Endless(), 5, 0, device)
    assert str(caught.value) == "a torch data set must have a length of at least 1"


class Pairs(Dataset[Any]):
    """A torch data set with items of any form."""

    classes = ["even", "odd"]  # noqa: RUF012 - as torchvision's data sets have it

    def __init__(self, *items: Any) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.items[index]


def test_further_entries_are_served_beside_their_samples(device: torch.device) -> None:
    size = torch.arange(SIZE)
    data = TensorData(
        size.float()[:, None], size, SIZE, more={"mask": size[:, None].to(torch.uint8), "angle": size / 10}
    )
    batches = Batches(data, 5, 0, device)

    for batch in batches.epoch(0, total_steps=7):
        assert torch.equal(batch.more["angle"], batch.labels / 10)
        assert torch.equal(batch.more["mask"], batch.samples / 255)
        assert batch.total_steps == 7
    assert batches.entry_shapes == {"mask": (1,), "angle": ()}


@pytest.mark.parametrize("workers", [0, 1])
def test_items_may_be_dicts_with_entries_of_their_own(device: torch.device, workers: int) -> None:
    items = [
        {"samples": torch.full((2,), float(index)), "labels": index, "mask": torch.tensor([index == 1]).byte()}
        for index in range(2)
    ]
    batch = next(Batches(Pairs(*items), 3, 0, device, workers).epoch(0))

    assert torch.equal(batch.samples[:, 0].long(), batch.labels)
    assert torch.equal(batch.more["mask"][:, 0], (batch.labels == 1) / 255)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    ("item", "message"),
    [
        (torch.zeros(3), "item 1 of the data has the shape (3,); it must be (2,)"),
        (
            torch.zeros(2, dtype=torch.float64),
            "item 1 of the data: 'samples' is torch.float64; make it torch.uint8 or torch.float32",
        ),
        (None, "item 1 of the data: 'samples' is NoneType; make it torch.uint8 or torch.float32"),
        (
            Image.new("L", (2, 2)),
            "item 1 of the data: 'samples' is Image; make it torch.uint8 or torch.float32",
        ),
        (
            (torch.zeros(2), np.float64(0.5)),
            "item 1 of the data: 'labels' is torch.float64; make it torch.int64 or torch.float32",
        ),
        (
            (torch.zeros(2), "cat"),
            "item 1 of the data: 'labels' is str; make it torch.int64 or torch.float32",
        ),
        (
            (torch.zeros(2), 1, 2),
            "item 1 of the data has 3 values; give (sample, label), or a dict with 'samples'",
        ),
        (
            (torch.zeros(2), 2),
            "sample 1 of the data has the label 2: labels must be classes from 0 to 1, or -1 for none",
        ),
        (torch.tensor([0.5, math.nan]), "sample 1 of the data has the value nan: samples must be finite"),
        (
            {"samples": torch.zeros(2), "mask": torch.zeros(2) > 0},
            "item 1 of the data: 'mask' is torch.bool; make it torch.uint8 or torch.int64 or torch.float32",
        ),
        ({"images": torch.zeros(2)}, "item 1 of the data has images; it must have 'samples'"),
    ],
)
def test_an_item_of_another_form_is_refused_whoever_loads_it(
    device: torch.device, item: Any, message: str, workers: int
) -> None:
    batches = Batches(Pairs(torch.zeros(2), item), 1, 0, device, workers)

    with pytest.raises(DataError) as caught:
        list(batches.epoch(0))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (torch.zeros(3), "item 1 of the data: 'samples' is (3,) float32; it must be (2,) float32, as item 0 has"),
        ((torch.zeros(2), 1), "item 1 of the data has samples, labels; it must have samples, as item 0 has"),
    ],
)
def test_items_of_one_batch_have_one_form(device: torch.device, second: Any, message: str) -> None:
    batches = Batches(Pairs(torch.zeros(2), second), 2, 0, device, 0)

    with pytest.raises(DataError) as caught:
        batches.first(2)
    assert str(caught.value) == message


def test_workers_stay_from_epoch_to_epoch_and_leave_at_the_end(device: torch.device) -> None:
    class Workers(Noisy):
        def __getitem__(self, index: int) -> Tensor:
            return torch.tensor([float(os.getpid())])

    batches = Batches(Workers(), 5, 0, device, workers=1)
    with batches.keeping_workers():
        first, second = ({float(batch.samples[0]) for batch in collect(batches, epoch)} for epoch in (0, 1))
    third = {float(batch.samples[0]) for batch in collect(batches, 2)}

    assert first == second != third
    assert len(first) == len(third) == 1
    assert os.getpid() not in first


def test_an_epoch_left_in_its_middle_leaves_nothing_to_the_next(device: torch.device) -> None:
    batches, expected = Batches(Noisy(), 5, 0, device, workers=1), collect(Batches(Noisy(), 5, 0, device, workers=0), 1)
    with batches.keeping_workers():
        next(batches.epoch(0))
        served = collect(batches, 1)

    assert all(torch.equal(left.samples, right.samples) for left, right in zip(served, expected, strict=True))


@pytest.mark.parametrize("parts", [1, 2, 3, 4, 5])
def test_the_parts_of_a_batch_are_its_rows_and_draw_the_numbers_of_the_whole(parts: int) -> None:
    whole = Batch(
        torch.arange(5.0)[:, None], torch.arange(5), total=11, rows=slice(4, 9), more={"double": 2 * torch.arange(5)}
    )
    numbers = whole.row_random(torch.Generator().manual_seed(0)).normal(2)
    found = list(whole.split(parts))

    assert len(found) == parts
    assert max(len(part) for part, _ in found) - min(len(part) for part, _ in found) <= 1
    assert torch.equal(torch.cat([part.samples for part, _ in found]), whole.samples)
    for part, rows in found:
        assert torch.equal(part.labels, whole.labels[rows])
        assert torch.equal(part.more["double"], 2 * part.labels)
        assert torch.equal(part.row_random(torch.Generator().manual_seed(0)).normal(2), numbers[rows])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("DataLoader worker (pid 12) is killed by signal: Killed. ", "was killed by signal: Killed"),
        (
            "DataLoader worker (pid 12) is killed by signal: Bus error. It is possible that dataloader's workers are "
            "out of shared memory. Please try to raise your shared memory limit.",
            "was killed by signal: Bus error",
        ),
        (
            "DataLoader worker (pid 12) exited unexpectedly with exit code 3. Details are lost due to "
            "multiprocessing. Rerunning with num_workers=0 may give better error trace.",
            "exited unexpectedly with exit code 3",
        ),
        ("DataLoader worker (pid(s) 12, 13) exited unexpectedly", "exited unexpectedly"),
        ("Caught KeyError in DataLoader worker process 0.", None),
    ],
)
def test_an_error_says_how_a_worker_ended(text: str, expected: str | None) -> None:
    assert lost_worker(RuntimeError(text)) == expected
    assert lost_worker(ValueError(text)) is None
