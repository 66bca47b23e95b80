"""Pairs of images made from MNIST, for translations from one domain to the other."""

from typing import Annotated, Literal

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from ganfw import TensorData, discover


def outlines(
    *,
    split: Annotated[Literal["train", "test"], "60,000 training or 10,000 test images"] = "train",
    paired: Annotated[bool, "whether an outline has its own digit as target; of the test part it always has"] = True,
) -> TensorData:
    """Outlines of MNIST digits, and the digits as another entry, `target`.

    An outline is what a stroke gains when it grows by a pixel all around: the dilation of the image by a square of 3 x
    3, less the image. Strokes are hollow there. Not paired, the outlines are those of one half of the images and the
    targets the digits of the other half, so that no target belongs to any outline.

    Returns:
        `(n, 1, 28, 28)` uint8 outlines without labels, and `target`, as many digits; n is 60,000, 30,000 unless paired,
        or 10,000 of the test part.
    """
    digits: Tensor = discover().load("data", "ganfw:mnist")(split=split).samples
    if paired or split == "test":
        return TensorData(outline_of(digits), more={"target": digits})
    return TensorData(outline_of(digits[::2]), more={"target": digits[1::2].contiguous()})


def outline_of(images: Tensor) -> Tensor:
    """Return `(n, 1, height, width)` uint8 outlines of such images."""
    grown = [max_pool2d(chunk.float(), 3, stride=1, padding=1) for chunk in images.split(10_000)]
    return torch.cat(grown).to(torch.uint8) - images
