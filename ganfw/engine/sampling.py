"""Draw samples from a generator: plain, truncated, and along a line between two noise vectors."""

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
from attrs import field, frozen
from torch import Tensor, nn

from ganfw.engine.device import fitting_memory
from ganfw.engine.kernels import fast_kernels
from ganfw.engine.networks import call_network, evaluation_mode, inputs_of
from ganfw.engine.random_streams import seeded_generator
from ganfw.errors import InputError
from ganfw.protocols import Noise, Sampler, SampleRequest, TruncatableNoise

ROWS = 64
"""Noise vectors go through the generator in multiples of this many, the last ones padded, unless fewer are asked for.

Matrix kernels round differently for different numbers of rows; with whole blocks of 64 the same kernels run
with any batch size, so that it does not change the images.
"""


def rows_of_training(batch_size: int) -> int:
    """Return how many samples go through a generator at once after training with batches of this size: no more."""
    return batch_size // ROWS * ROWS or batch_size


@frozen(eq=False)
class SampleSource:
    """Trained networks, and how samples are made with them.

    Attributes:
        networks: by name; `"generator"` among them if `sampler` is None.
        noise: the sampler of the generator's input, or None.
        sampler: makes samples; None for the generator from noise.
        batch_size: how many go through a network at once, where no other number is asked for.
    """

    networks: Mapping[str, nn.Module] = field(repr=lambda networks: f"<{', '.join(networks)}>")
    noise: Noise | None = None
    sampler: Sampler | None = None
    batch_size: int = 512

    @property
    def takes_labels(self) -> bool:
        """Whether samples have labels: whether there is a generator that asks for them."""
        return "generator" in self.networks and "labels" in inputs_of(self.networks["generator"])

    def sample(self, count: int, *, batch_size: int | None = None, **options: Any) -> Tensor:
        """Return `(count, *sample_shape)` float32 samples on the CPU; images in [0, 1].

        Args:
            count: how many.
            batch_size: how many go through a network at once, instead of the source's own `batch_size`.
            **options: the other attributes of a `SampleRequest`: `seed=1`, `truncation=0.5`.

        Raises:
            InputError: such samples cannot be made.
        """
        options["batch_size"] = self.batch_size if batch_size is None else batch_size
        if self.sampler is not None:
            return self.sampler(SampleRequest(count=count, **options))
        if self.noise is None or "generator" not in self.networks:
            raise InputError("the recipe has no generator with noise to sample from; add a [sampler] to it")
        options.pop("inputs", None)  # noise is all that the generator starts from
        return sample(self.networks["generator"], self.noise, count, **options)


def sample(
    generator: nn.Module,
    noise: Noise,
    count: int,
    *,
    seed: int = 0,
    truncation: float | None = None,
    labels: Tensor | None = None,
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
        labels: `(count,)` int64, the classes of a conditional generator's samples; None for each class in turn.
        batch_size: how many go through the generator at once, which bounds memory. From 64 on it is rounded up to a
            multiple of 64 and changes no bit; below, the last digits of samples may change.

    Returns:
        `(count, *sample_shape)` float32 on the CPU; images in [0, 1].

    Raises:
        InputError: an argument is out of range, this noise has no truncation, or the memory is too small.
    """
    if count < 1:
        raise InputError(f"the number of samples must be >= 1, not {count}")
    z = draw_noise(noise, count, seed=seed, truncation=truncation)
    return generate(generator, z, labels=labels, batch_size=batch_size)


def draw_noise(noise: Noise, count: int, *, seed: int = 0, truncation: float | None = None) -> Tensor:
    """Draw the `(count, z_dim)` float32 noise that `sample` uses, on the noise's device.

    Raises:
        InputError: `truncation` is out of range, or this noise has none.
    """
    if truncation is not None:
        if not isinstance(noise, TruncatableNoise):
            raise InputError(
                f"noise of type {type(noise).__name__} has no truncation; choose normal noise, or leave truncation out"
            )
        noise = noise.truncated(truncation)
    return noise(count, seeded_generator(noise.device, seed, "sample"))


@torch.no_grad()
def generate(generator: nn.Module, z: Tensor, *, labels: Tensor | None = None, batch_size: int = 512) -> Tensor:
    """Turn noise `(n, z_dim)` into samples `(n, *sample_shape)` float32 on the CPU, in evaluation mode.

    A conditional generator gets `labels`, `(n,)` int64, or else each of its `num_classes` classes in turn.

    Raises:
        InputError: `batch_size` is below 1, the labels do not fit, or the memory is too small.
    """
    if batch_size < 1:
        raise InputError(f"the batch size must be >= 1, not {batch_size}")
    labels = _labels_for(generator, len(z), labels)
    size = batch_size if batch_size < ROWS else math.ceil(batch_size / ROWS) * ROWS
    samples = []
    with evaluation_mode(generator), fast_kernels(z.device), fitting_memory(f"{size} at once: lower --batch-size"):
        for chunk, classes in zip(z.split(size), labels.to(z.device).split(size), strict=True):
            padding = -len(chunk) % min(size, ROWS)
            padded = torch.cat([chunk, chunk.new_zeros(padding, chunk.shape[1])])
            classes = torch.cat([classes, classes.new_zeros(padding, *classes.shape[1:])])
            samples.append(call_network(generator, padded, labels=classes)[: len(chunk)].float().cpu())
    return torch.cat(samples)


def each_class_in_turn(num_classes: int, count: int, device: torch.device | str = "cpu") -> Tensor:
    """Return `(count,)` int64: 0, 1, ..., num_classes - 1, 0, 1, ..."""
    return torch.arange(count, device=device) % num_classes


def _labels_for(generator: nn.Module, count: int, labels: Tensor | None) -> Tensor:
    """Return `(count, ...)` labels for a generator: those that were asked for, or each class in turn."""
    if "labels" not in inputs_of(generator):
        if labels is not None:
            raise InputError("this generator is not conditional and takes no labels; leave them out")
        return torch.zeros(count, dtype=torch.int64)
    num_classes = getattr(generator, "num_classes", None)
    if labels is None:
        if not isinstance(num_classes, int):
            raise InputError("this generator has no attribute num_classes: say which labels its samples have")
        return each_class_in_turn(num_classes, count)
    in_range = labels.is_floating_point() or num_classes is None or (labels.min() >= 0 and labels.max() < num_classes)
    if len(labels) != count or not in_range:
        raise InputError(f"labels must be {count} classes from 0 to {(num_classes or 1) - 1}")
    return labels


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
