"""Data that breaks its contract."""

import os

import torch

from ganfw import TensorData
from ganfw.testing import datasets

GREY = torch.full((100, 1, 8, 8), 0.5)


def too_bright():
    samples = GREY.clone()
    samples[2:] = 2
    return TensorData(samples)


def labels_of_letters():
    return TensorData(GREY, torch.full((100,), 26), num_classes=26)


def labels_without_classes():
    return TensorData(GREY, torch.zeros(100, dtype=torch.int64))


def labels_of_short_integers():
    return TensorData(GREY, torch.zeros(100, dtype=torch.int32), num_classes=10)


def infinite_entry():
    return TensorData(GREY, more={"mask": torch.full((100, 2), torch.inf)})


def by_chance():
    random = torch.Generator().manual_seed(int.from_bytes(os.urandom(4), "big"))
    return TensorData(torch.rand(100, 1, 8, 8, generator=random))


def labels_by_chance():
    random = torch.Generator().manual_seed(int.from_bytes(os.urandom(4), "big"))
    return TensorData(GREY, torch.randint(10, (100,), generator=random), num_classes=10)


BROKEN = (
    (
        datasets.serves_samples,
        too_bright,
        "sample 2 of the data has the value 2: samples must be in [0, 1]; divide by 255, or keep them uint8",
    ),
    (
        datasets.serves_samples,
        labels_of_letters,
        "sample 0 of the data has the label 26: labels must be classes from 0 to 25, or -1 for none",
    ),
    (
        datasets.serves_samples,
        labels_without_classes,
        "it has labels and does not say how many classes there are",
    ),
    (
        datasets.serves_samples,
        labels_of_short_integers,
        "labels must be torch.int64 classes or torch.float32, not torch.int32",
    ),
    (datasets.serves_samples, infinite_entry, "its entry 'mask' must be finite, with a row for each sample"),
    (
        datasets.is_the_same_every_time,
        by_chance,
        "built again it has other samples: draw random data from a generator with a fixed seed",
    ),
    (
        datasets.is_the_same_every_time,
        labels_by_chance,
        "built again it has other labels: draw random data from a generator with a fixed seed",
    ),
)
