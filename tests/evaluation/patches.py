"""A script with a data part of labelled images that a classifier learns in a moment."""

from collections.abc import Iterator

import torch

from ganfw import Part, TensorData, hookimpl


def patches() -> TensorData:
    """Images of 3 x 16 x 16 with a bright patch in the left or the right half, which is their class."""
    random = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 2, (640,), generator=random)
    images = torch.randint(0, 60, (640, 3, 16, 16), dtype=torch.uint8, generator=random)
    for image, label in zip(images, labels.tolist(), strict=True):
        image[:, 2:6, label * 8 + 2 : label * 8 + 6] = 250
    return TensorData(images, labels, 2)


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    yield Part(kind="data", name="patches", target="patches:patches", help="left or right")
