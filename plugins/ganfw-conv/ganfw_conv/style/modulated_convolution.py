"""A convolution whose weights are other ones for each sample: its style scales them."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from ganfw_conv.layers.equalised import EqualisedLinear

EPSILON = 1e-8


class ModulatedConv2d(nn.Module):
    """Convolves each sample with weights that its style scales, and keeps the size of maps.

    An affine layer makes a scale s_i for each input map i from w, and the weights become w'_ijk = s_i w_ijk, with j for
    the output map and k for the place in the kernel. Demodulation divides them by the root of the sum of w'_ijk^2
    over i and k, plus 1e-8. So output maps have a standard deviation of 1 if input maps have it and are independent.
    Nothing is measured on the batch.

    Weights of each sample are never made. It is the same to scale the input maps by s_i, and to divide the output maps
    instead of the weights.

    Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020, section 2.2, equations 1 to 3.

    Args:
        inputs: input maps.
        outputs: output maps.
        side: of the kernel.
        w_dim: length of w.
        demodulate: whether output maps are scaled.
    """

    def __init__(self, inputs: int, outputs: int, side: int, w_dim: int, *, demodulate: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, side, side))
        self.affine = EqualisedLinear(w_dim, inputs, bias=1.0)
        self.scale = 1 / math.sqrt(inputs * side**2)
        self.padding = side // 2
        self.demodulate = demodulate

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Return `(n, outputs, height, width)` for `(n, inputs, height, width)` and `(n, w_dim)`, all float32."""
        weight, scales = self.weight * self.scale, self.affine(w).float()
        y: Tensor = conv2d(x * scales[:, :, None, None], weight, padding=self.padding)
        if not self.demodulate:
            return y
        # Written as a product and a sum, which autocast leaves in float32, unlike a product of matrices.
        squares = (scales.square()[:, None, :] * weight.square().sum((2, 3))).sum(2)  # (n, outputs)
        demodulated: Tensor = y * (squares + EPSILON).rsqrt()[:, :, None, None]
        return demodulated
