"""How different the samples of a batch are, as a map beside the others."""

import torch
from torch import Tensor, nn

EPSILON = 1e-8


class MinibatchDeviation(nn.Module):
    """Adds a map that has one number for each group of samples: how much they differ from one another.

    For each feature at each place, the standard deviation over the group, with the group's size as the divisor; then
    the mean of these over all features and places. A discriminator that sees it notices fakes that are all alike.

    A batch of n is cut into groups of `group` samples, or of the next smaller number that divides n. Rows of one group
    are as far apart as there are groups. A group of one has a deviation of 0.

    Source: Karras et al., "Progressive Growing of GANs", 2018, section 3, where the whole batch is one group.
    """

    def __init__(self, group: int) -> None:
        super().__init__()
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        """Return `(n, channels + 1, height, width)` for `(n, channels, height, width)`."""
        n, _, height, width = x.shape
        size = next(size for size in range(min(self.group, n), 0, -1) if n % size == 0)
        groups = x.float().unflatten(0, (size, n // size))
        variances = (groups - groups.mean(0)).square().mean(0)
        deviations = (variances + EPSILON).sqrt().mean((1, 2, 3))  # (n / size,)
        column = deviations.repeat(size)[:, None, None, None].expand(n, 1, height, width)
        return torch.cat([x, column.to(x.dtype)], dim=1)
