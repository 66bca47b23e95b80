"""The training samples that are nearest to a sample, value by value."""

import torch
from torch import Tensor

CHUNK = 4096
"""Training samples that are compared at once."""


def nearest_samples(sample: Tensor, training: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return which training samples are nearest to a sample, and how far they are.

    Args:
        sample: `(*sample_shape)`, uint8 or float32.
        training: `(n, *sample_shape)` of the same dtype.
        count: how many; all, if there are fewer.

    Returns:
        Indices `(count,)` int64, the nearest first, and distances `(count,)` float32: the root of the mean squared
        difference of values, where uint8 values are divided by 255.
    """
    point = sample.flatten().float()
    squares = torch.cat([(chunk.flatten(1).float() - point).square_().mean(1) for chunk in training.split(CHUNK)])
    nearest = squares.topk(min(count, len(squares)), largest=False)
    distances = nearest.values.sqrt()
    return nearest.indices, distances / 255 if sample.dtype == torch.uint8 else distances
