"""Layers with an equalised learning rate, and the activation that keeps the scale of maps."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, leaky_relu, linear

SLOPE = 0.2
"""Of a leaky ReLU below 0."""


class EqualisedLinear(nn.Module):
    """A linear layer whose weights start from N(0, 1) and are scaled when they are used, by 1 / sqrt(inputs).

    An optimizer such as Adam, whose steps do not depend on the scale of gradients, then moves the weights of all layers
    equally fast. With `rate` r, weights and biases are r times what is kept, and weights start from N(0, 1 / r^2): the
    layer computes the same at the beginning, and learns r times as fast.

    Source: Karras et al., "Progressive Growing of GANs", 2018, section 4.1; `rate`: Karras et al., "A Style-Based
    Generator Architecture for Generative Adversarial Networks", 2019, appendix C.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: float = 0.0, rate: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.scale = rate / math.sqrt(inputs)
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Return `(n, outputs)` for `(n, inputs)`."""
        return linear(x, self.weight * self.scale, self.bias * self.rate)


class EqualisedConv2d(nn.Module):
    """A convolution that keeps the size of maps, with weights scaled as in `EqualisedLinear`."""

    def __init__(self, inputs: int, outputs: int, side: int, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, side, side))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale = 1 / math.sqrt(inputs * side**2)
        self.padding = side // 2

    def forward(self, x: Tensor) -> Tensor:
        """Return `(n, outputs, height, width)` for `(n, inputs, height, width)`."""
        return conv2d(x, self.weight * self.scale, self.bias, padding=self.padding)


def activate(x: Tensor) -> Tensor:
    """Return sqrt(2) times a leaky ReLU of x, any shape: about as large as x where x is N(0, 1)."""
    return leaky_relu(x, SLOPE) * math.sqrt(2)
