"""Shifts by whole pixels, different for each image."""

import torch
from torch import Tensor


def shift(samples: Tensor, by: Tensor, dim: int, fill: float | None = None) -> Tensor:
    """Move each image along one side.

    Args:
        samples: `(n, channels, height, width)`.
        by: `(n,)` int64, towards the end of the side where positive; at most its length.
        dim: 2 for down, 3 for right.
        fill: the value of what comes from beyond the border; None to mirror the image at its outermost pixels.

    Returns:
        As `samples`; pixels are moved, not changed.
    """
    size = samples.shape[dim]
    shape = [len(samples), 1, 1, 1]
    shape[dim] = size
    sources = (torch.arange(size, device=samples.device) - by[:, None]).view(shape)
    if fill is None:
        inner = size - 1 - (size - 1 - sources.abs()).abs()  # mirrored at 0, then at size - 1
        return samples.gather(dim, inner.clamp(0, size - 1).expand_as(samples))
    inside = (sources >= 0) & (sources < size)
    return torch.where(inside, samples.gather(dim, sources.clamp(0, size - 1).expand_as(samples)), fill)
