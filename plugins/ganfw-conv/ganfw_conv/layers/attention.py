"""Self-attention over the places of a map."""

import torch
from torch import Tensor, nn

from ganfw import InputError
from ganfw_conv.layers.spectral import normalised


class SelfAttention(nn.Module):
    """Adds to each place of a map what it gathers from all others, times a weight that starts at 0.

    With 1 x 1 convolutions f, g, h to an eighth of the channels and v back: place j takes from place i the share
    softmax over i of <f(x_i), g(x_j)>, gathers o_j, the sum of the shares of h(x_i), and becomes x_j + gamma v(o_j).
    Memory grows with the square of the number of places.

    Source: Zhang et al., "Self-Attention Generative Adversarial Networks", 2019, section 3, equations 1 to 3.
    """

    def __init__(self, channels: int, spectral: bool) -> None:
        super().__init__()
        inner = max(channels // 8, 1)
        self.f = normalised(nn.Conv2d(channels, inner, 1, bias=False), spectral)
        self.g = normalised(nn.Conv2d(channels, inner, 1, bias=False), spectral)
        self.h = normalised(nn.Conv2d(channels, inner, 1, bias=False), spectral)
        self.v = normalised(nn.Conv2d(inner, channels, 1, bias=False), spectral)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Return `(n, channels, height, width)` like x."""
        f, g, h = (layer(x).flatten(2) for layer in (self.f, self.g, self.h))  # (n, inner, places)
        shares = torch.softmax(f.transpose(1, 2) @ g, dim=1)  # (n, places i, places j)
        gathered = (h @ shares).unflatten(2, x.shape[2:])
        y: Tensor = x + self.gamma * self.v(gathered)
        return y


def attention_at(
    wished: int | None, sizes: list[tuple[int, int]], channels: int, spectral: bool = False
) -> nn.ModuleList:
    """Return what follows the maps of each size: self-attention where their height is as wished, nothing elsewhere.

    Raises:
        InputError: no map has that height.
    """
    heights = [height for height, _ in sizes]
    if wished is not None and wished not in heights:
        raise InputError(f"attention = {wished}: the maps here have heights {', '.join(map(str, heights))}")
    return nn.ModuleList(SelfAttention(channels, spectral) if height == wished else nn.Identity() for height in heights)
