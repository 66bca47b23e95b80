"""A script with a conditional generator whose images are as bright as their class."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ganfw import Part, hookimpl


class Shades(nn.Module):
    """Maps classes to images of one shade, whatever the noise."""

    def __init__(self, num_classes: int, /) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.shade = nn.Linear(1, 1)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Return `(n, 1, 28, 28)` float32 in (0, 1) for `(n,)` int64 labels."""
        return torch.sigmoid(self.shade(labels[:, None] / self.num_classes))[:, :, None, None].expand(-1, 1, 28, 28)


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    yield Part(kind="generator", name="shades", target="shades:Shades", help="a shade for each class")
