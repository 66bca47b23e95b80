"""Zooms and turns about the middle of an image."""

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample


def zoom_and_turn(samples: Tensor, zooms: Tensor, angles: Tensor) -> Tensor:
    """Return each image zoomed and turned, interpolated bilinearly and mirrored at its border.

    Args:
        samples: `(n, channels, height, width)` float32.
        zooms: `(n,)` float32, above 1 to enlarge.
        angles: `(n,)` float32 in radians, counter-clockwise where positive.

    Returns:
        As `samples`; rows with zoom 1 and angle 0 are exactly as they were.
    """
    height, width = samples.shape[2:]
    cos, sin, none = torch.cos(angles) / zooms, torch.sin(angles) / zooms, torch.zeros_like(zooms)
    # Where a pixel comes from, with both sides measured from -1 to 1, y down.
    first = torch.stack([cos, -sin * height / width, none], dim=1)
    second = torch.stack([sin * width / height, cos, none], dim=1)
    grid = affine_grid(torch.stack([first, second], dim=1), list(samples.shape), align_corners=False)
    moved = grid_sample(samples, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    changed = (zooms != 1) | (angles != 0)
    return torch.where(changed[:, None, None, None], moved, samples)
