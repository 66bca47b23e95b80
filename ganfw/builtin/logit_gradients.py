"""The slope of the discriminator at given samples, which several regularizers limit."""

from collections.abc import Callable

import torch
from torch import Tensor


def logit_gradients(discriminate: Callable[[Tensor], Tensor], samples: Tensor) -> Tensor:
    """Return the gradient of each sample's logit with respect to the sample, as a function of the weights.

    Where layers mix the rows of a batch, as BatchNorm does, it is the gradient of the sum of all logits.

    Args:
        discriminate: `(n, *sample_shape)` to logits `(n, 1)`.
        samples: `(n, *sample_shape)` float32; where they come from is not differentiated.

    Returns:
        `(n, size of a sample)` float32, with the graph of the weights.
    """
    points = samples.detach().requires_grad_()
    # The mean, and not the sum, is what several processes add up to one gradient over all of their rows.
    (gradients,) = torch.autograd.grad(discriminate(points).mean(), points, create_graph=True)
    return gradients.flatten(1) * len(points)


def gradient_norms(discriminate: Callable[[Tensor], Tensor], samples: Tensor) -> Tensor:
    """Return the Euclidean norm `(n,)` of each row of `logit_gradients`; its own gradient is 0 where it is 0."""
    norms: Tensor = torch.linalg.vector_norm(logit_gradients(discriminate, samples), dim=1)
    return norms
