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


def labels_of_floats():
    return TensorData(GREY, torch.zeros(100), num_classes=10)


def by_chance():
    random = torch.Generator().manual_seed(int.from_bytes(os.urandom(4), "big"))
    return TensorData(torch.rand(100, 1, 8, 8, generator=random))


def labels_by_chance():
    random = torch.Generator().manual_seed(int.from_bytes(os.urandom(4), "big"))
    return TensorData(GREY, torch.randint(10, (100,), generator=random), num_classes=10)


BROKEN = (
    (datasets.serves_samples, too_bright, "its values are from "),
    (datasets.serves_samples, labels_of_letters, "it has labels outside 0, 1, ..., 25"),
    (
        datasets.serves_samples,
        labels_without_classes,
        "it has labels and does not say how many classes there are",
    ),
    (datasets.serves_samples, labels_of_floats, "its labels are torch.float32, not torch.int64"),
    (
        datasets.is_the_same_every_time,
        by_chance,
        "built again it has other samples: draw random data from a generator with a fixed seed",
    ),
    (datasets.is_the_same_every_time, labels_by_chance, "built again it has other labels"),
)
