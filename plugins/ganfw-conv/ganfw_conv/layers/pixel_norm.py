"""Vectors of one length: the noise, or what the maps have at a place."""

from torch import Tensor


def of_size_1(x: Tensor) -> Tensor:
    """Scale the features of each row, and of each place in it, to a root mean square of 1; zeros stay zeros.

    Source: Karras et al., "Progressive Growing of GANs", 2018, section 4.2.

    Args:
        x: `(n, features)`, or maps `(n, features, height, width)`.
    """
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()
