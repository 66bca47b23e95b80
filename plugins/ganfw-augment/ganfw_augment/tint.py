"""Contrast, hue and saturation, different for each image."""

import math

import torch
from torch import Tensor


def change_contrast(samples: Tensor, factors: Tensor) -> Tensor:
    """Multiply distances from the middle grey, 0.5, of `(n, channels, height, width)` images by `(n,)` factors."""
    factors = factors[:, None, None, None]
    return samples * factors + (0.5 - 0.5 * factors)  # exactly as it was where the factor is 1


def turn_hue(samples: Tensor, angles: Tensor, saturation: Tensor) -> Tensor:
    """Turn the colours of `(n, 3, height, width)` images about the grey axis, and multiply their distance from it.

    Args:
        samples: red, green and blue.
        angles: `(n,)` float32 in radians; a third of a circle makes red green.
        saturation: `(n,)` float32 factors; 0 leaves greys.

    Returns:
        As `samples`; rows with angle 0 and factor 1 are exactly as they were.
    """
    grey = samples.mean(1, keepdim=True)
    colour = samples - grey
    # The cross product with (1, 1, 1) / sqrt(3): Rodrigues' rotation of what is perpendicular to that axis.
    across = (colour.roll(1, dims=1) - colour.roll(-1, dims=1)) / math.sqrt(3)
    cos, sin = (saturation * f(angles) for f in (torch.cos, torch.sin))
    turned = grey + cos[:, None, None, None] * colour + sin[:, None, None, None] * across
    changed = (angles != 0) | (saturation != 1)
    return torch.where(changed[:, None, None, None], turned, samples)
