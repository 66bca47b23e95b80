"""Draw samples from a generator: plain, truncated, and along a line between two noise vectors."""

import contextlib
import math
from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn

from ganfw.engine.compilation import as_written
from ganfw.engine.kernels import fast_kernels
from ganfw.errors import InputError
from ganfw.protocols import Noise, TruncatableNoise
from ganfw.randomness import seeded_generator

ROWS = 64
"""Noise vectors go through the generator in multiples of this many, the last ones padded.

Matrix kernels round differently for different numbers of rows; with whole blocks of 64 the same kernels run
whatever the batch size is, so that it does not change the images.
"""


@contextlib.contextmanager
def evaluation_mode(network: nn.Module) -> Iterator[None]:
    """Run a block with the network in evaluation mode, and put every module back into its own mode afterwards.

    With BatchNorm in training mode a scaled noise would be normalised away, and truncation would do nothing.
    """
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def sample(
    generator: nn.Module,
    noise: Noise,
    count: int,
    *,
    seed: int = 0,
    truncation: float | None = None,
    batch_size: int = 512,
) -> Tensor:
    """Draw samples.

    Args:
        generator: `(n, z_dim)` to `(n, *sample_shape)`; used in evaluation mode.
        noise: the sampler of its input.
        count: how many samples, at least 1.
        seed: the samples are a function of this; with another truncation they move continuously.
        truncation: every noise coordinate is conditioned on [-truncation, truncation], at least 0: the
            truncation trick (Brock et al., "Large Scale GAN Training", 2019, section 3.1). None for none.
        batch_size: how many go through the generator at once, which bounds memory and changes nothing else;
            rounded up to a multiple of 64.

    Returns:
        `(count, *sample_shape)` float32 on the CPU; images in [0, 1].

    Raises:
        InputError: an argument is out of range, or this noise has no truncation.
    """
    if count < 1:
        raise InputError(f"the number of samples must be >= 1, not {count}")
    return generate(generator, draw_noise(noise, count, seed=seed, truncation=truncation), batch_size=batch_size)


def draw_noise(noise: Noise, count: int, *, seed: int = 0, truncation: float | None = None) -> Tensor:
    """Draw the `(count, z_dim)` float32 noise that `sample` uses, on the noise's device.

    Raises:
        InputError: `truncation` is out of range, or this noise has none.
    """
    if truncation is not None:
        if not isinstance(noise, TruncatableNoise):
            raise InputError(f"noise of type {type(noise).__name__} has no truncation")
        noise = noise.truncated(truncation)
    return noise(count, seeded_generator(noise.device, seed, "sample"))


@torch.no_grad()
def generate(generator: nn.Module, z: Tensor, *, batch_size: int = 512) -> Tensor:
    """Turn noise `(n, z_dim)` into samples `(n, *sample_shape)` float32 on the CPU, in evaluation mode.

    Raises:
        InputError: `batch_size` is below 1.
    """
    if batch_size < 1:
        raise InputError(f"the batch size must be >= 1, not {batch_size}")
    samples = []
    with evaluation_mode(generator), fast_kernels(z.device), as_written(generator):
        for chunk in z.split(math.ceil(batch_size / ROWS) * ROWS):
            padding = chunk.new_zeros(-len(chunk) % ROWS, chunk.shape[1])
            samples.append(generator(torch.cat([chunk, padding]))[: len(chunk)].float().cpu())
    return torch.cat(samples)


def interpolate(start: Tensor, end: Tensor, steps: int, method: Literal["linear", "spherical"]) -> Tensor:
    """Return noise on the way from `start` to `end`, both included.

    The straight line passes nearer to the origin than samples of N(0, I) ever lie. Spherical interpolation follows
    the arc between the directions instead (Shoemake, "Animating rotation with quaternion curves", 1985, section
    3.3; for GANs: White, "Sampling Generative Networks", 2016, section 2.1).

    Args:
        start: `(n, z_dim)` float32.
        end: `(n, z_dim)` float32.
        steps: points on the way, at least 2.
        method: `"linear"` or `"spherical"`.

    Returns:
        `(n, steps, z_dim)` float32.

    Raises:
        InputError: `steps` is below 2.
    """
    if steps < 2:
        raise InputError(f"the number of steps must be >= 2, not {steps}")
    weight = torch.linspace(0, 1, steps, device=start.device).reshape(1, steps, 1)
    start, end = start.unsqueeze(1), end.unsqueeze(1)
    straight = torch.lerp(start, end, weight)
    if method == "linear":
        return straight
    angle = torch.cosine_similarity(start, end, dim=-1).clamp(-1, 1).acos().unsqueeze(-1)
    arc = (torch.sin((1 - weight) * angle) * start + torch.sin(weight * angle) * end) / torch.sin(angle)
    # Where an end has no direction, or both have the same or opposite ones, no arc is defined: go straight.
    undefined = (torch.sin(angle) < 1e-4) | ~(start.any(-1, keepdim=True) & end.any(-1, keepdim=True))
    return torch.where(undefined, straight, arc)
