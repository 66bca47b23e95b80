"""Spectral normalisation, where it is wished."""

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm


def normalised(layer: nn.Module, wished: bool) -> nn.Module:
    """Return a layer whose weight is divided by its largest singular value, or the layer as it is.

    Source: Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018, section 2.1 and
    algorithm 1. The singular value is followed by one power iteration in each pass in training mode; its vectors are
    buffers, so they are saved and resumed with the network. A convolution's weight counts as a matrix of
    `(out_channels, in_channels * height * width)`.
    """
    return spectral_norm(layer) if wished else layer
