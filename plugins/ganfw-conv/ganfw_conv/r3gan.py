"""The networks of R3GAN: residual blocks without normalisation, conditional on the class or not."""

import math
from itertools import pairwise
from typing import Annotated, NamedTuple, TypeVar

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, leaky_relu, pixel_shuffle, pixel_unshuffle

from ganfw import InputError
from ganfw_conv.layers.classes import require_classes
from ganfw_conv.layers.image_sizes import halvings
from ganfw_conv.layers.projection import ProjectionHead

SMALLEST = 4
"""The least side of a map."""

SLOPE = 0.2
"""Of the leaky ReLU, where its input is negative."""

_BaseChannels = Annotated[int, Ge(1), "channels of the largest maps; each halving of the size doubles them"]
_MaxChannels = Annotated[int, Ge(1), "most channels of a map"]
_Blocks = Annotated[int, Ge(1), "residual blocks at each size"]
_Expansion = Annotated[int, Ge(1), "how many times as many channels a block has inside"]
_GroupChannels = Annotated[int, Ge(1), "channels of each group of a 3 x 3 convolution"]
_Patch = Annotated[int, Ge(1), "side of the squares of pixels that are one place of the largest maps"]
_Layer = TypeVar("_Layer", nn.Conv2d, nn.Linear)


class R3GANGenerator(nn.Module):
    """Maps noise to images in [0, 1] through residual blocks without normalisation, each stage twice the size.

    It starts from a learned map of 7 x 7 for 28 pixels, of 4 x 4 for 32, 64, 128, whose channels are multiplied by
    linear functions of the noise. Between the sizes are a convolution of 1 x 1 and bilinear interpolation. A last one
    of 1 x 1 gives the pixels; tanh, which the paper does not have, brings them to [0, 1].

    A block is `x + third(act(second(act(first(x)))))`, with convolutions of 1 x 1, of 3 x 3 in groups, and of 1 x 1,
    and a leaky ReLU of slope 0.2. Inside it has `expansion` times as many channels. The third convolution starts at
    0. The weights of the other two start from N(0, g² / inputs of an output) with g² = 2 / (1 + 0.2²) / sqrt(number of
    blocks), those outside of blocks with g = 1.

    Source: Huang et al., "The GAN is dead; long live the GAN! A Modern GAN Baseline", 2024, whose networks for CIFAR-10
    have 768 channels at all sizes and two blocks at each. The start of the weights: Zhang, Dauphin and Ma, "Fixup
    Initialization", 2019. With a `patch` of 2, which is not of the paper, the largest maps have half the sides of the
    image, and the last convolution gives the four pixels of each place.

    Raises:
        InputError: the samples are not images, their sides cannot be halved or are not multiples of `patch`, or the
            channels inside a block cannot be put into groups of `group_channels`.
    """

    def __init__(
        self,
        z_dim: int,
        sample_shape: tuple[int, ...],
        /,
        *,
        base_channels: _BaseChannels = 32,
        max_channels: _MaxChannels = 256,
        blocks: _Blocks = 1,
        expansion: _Expansion = 2,
        group_channels: _GroupChannels = 16,
        patch: _Patch = 1,
    ) -> None:
        super().__init__()
        plan = _plan(sample_shape, base_channels, max_channels, blocks, expansion, group_channels, patch)
        self.layers = _GeneratorLayers(z_dim, sample_shape[0], plan)

    def forward(self, z: Tensor) -> Tensor:
        """Return `(n, *sample_shape)` float32 in [0, 1] for `(n, z_dim)` float32."""
        images: Tensor = self.layers(z)
        return images


class ConditionalR3GANGenerator(nn.Module):
    """An `r3gan` generator that is given an embedding of the class beside the noise.

    Embeddings start with a length of about 1, that of a one-hot vector.

    Source: as `r3gan`; Mirza and Osindero, "Conditional Generative Adversarial Nets", 2014, section 3.2.

    Attributes:
        num_classes: how many classes there are.

    Raises:
        InputError: the data has no labels, or as for `r3gan`.
    """

    def __init__(
        self,
        z_dim: int,
        sample_shape: tuple[int, ...],
        num_classes: int | None,
        /,
        *,
        base_channels: _BaseChannels = 32,
        max_channels: _MaxChannels = 256,
        blocks: _Blocks = 1,
        expansion: _Expansion = 2,
        group_channels: _GroupChannels = 16,
        patch: _Patch = 1,
        embedding_dim: Annotated[int, Ge(1), "length of the embedding of a class"] = 32,
    ) -> None:
        super().__init__()
        self.num_classes = require_classes(num_classes)
        self.embedding = nn.Embedding(self.num_classes, embedding_dim)
        nn.init.normal_(self.embedding.weight, std=embedding_dim**-0.5)
        plan = _plan(sample_shape, base_channels, max_channels, blocks, expansion, group_channels, patch)
        self.layers = _GeneratorLayers(z_dim + embedding_dim, sample_shape[0], plan)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Return `(n, *sample_shape)` float32 in [0, 1] for `(n, z_dim)` float32 and `(n,)` int64."""
        images: Tensor = self.layers(torch.cat([z, self.embedding(labels)], dim=1))
        return images


class R3GANDiscriminator(nn.Module):
    """Maps images to a logit through residual blocks without normalisation, the mirror image of the generator.

    A convolution of 1 x 1 gives the first maps. Between the sizes are bilinear interpolation, which to half the size is
    the mean of 2 x 2, and a convolution of 1 x 1. Each channel of the last map, of 7 x 7 or 4 x 4, is multiplied by a
    learned map and summed, and a linear layer gives the logit. Images are moved to [-1, 1] within.

    Source, blocks, start of the weights and `patch`: as the generator `r3gan`.

    Raises:
        InputError: as for the generator `r3gan`.
    """

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        /,
        *,
        base_channels: _BaseChannels = 32,
        max_channels: _MaxChannels = 256,
        blocks: _Blocks = 1,
        expansion: _Expansion = 2,
        group_channels: _GroupChannels = 16,
        patch: _Patch = 1,
    ) -> None:
        super().__init__()
        plan = _plan(sample_shape, base_channels, max_channels, blocks, expansion, group_channels, patch)
        self.features = _FeatureLayers(sample_shape[0], plan)
        self.head = _started(nn.Linear(plan.widths[-1], 1, bias=False))

    def forward(self, samples: Tensor) -> Tensor:
        """Return `(n, 1)` logits for `(n, *sample_shape)` float32 in [0, 1]."""
        logits: Tensor = self.head(self.features(samples))
        return logits


class ConditionalR3GANDiscriminator(nn.Module):
    """An `r3gan` discriminator that judges how well an image fits its class, by projection.

    Source: as `r3gan`; Miyato and Koyama, "cGANs with Projection Discriminator", 2018, section 2.

    Raises:
        InputError: the data has no labels, or as for the generator `r3gan`.
    """

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        num_classes: int | None,
        /,
        *,
        base_channels: _BaseChannels = 32,
        max_channels: _MaxChannels = 256,
        blocks: _Blocks = 1,
        expansion: _Expansion = 2,
        group_channels: _GroupChannels = 16,
        patch: _Patch = 1,
    ) -> None:
        super().__init__()
        plan = _plan(sample_shape, base_channels, max_channels, blocks, expansion, group_channels, patch)
        self.features = _FeatureLayers(sample_shape[0], plan)
        self.head = ProjectionHead(plan.widths[-1], require_classes(num_classes), spectral=False)

    def forward(self, samples: Tensor, labels: Tensor) -> Tensor:
        """Return `(n, 1)` logits for `(n, *sample_shape)` float32 in [0, 1] and `(n,)` int64."""
        logits: Tensor = self.head(self.features(samples), labels)
        return logits


class _Plan(NamedTuple):
    """The maps of a network, from the largest down, and what its blocks are like."""

    sizes: list[tuple[int, int]]
    widths: list[int]
    blocks: int
    expansion: int
    group_channels: int
    patch: int

    def stage(self, width: int) -> nn.Sequential:
        """Return the blocks at one size."""
        depth = self.blocks * len(self.widths)
        inside = self.expansion * width
        return nn.Sequential(*(_Block(width, inside, inside // self.group_channels, depth) for _ in range(self.blocks)))


def _plan(
    sample_shape: tuple[int, ...],
    base_channels: int,
    max_channels: int,
    blocks: int,
    expansion: int,
    group_channels: int,
    patch: int,
) -> _Plan:
    """Return the plan of a network for images of this shape.

    Raises:
        InputError: see the generator.
    """
    if len(sample_shape) == 3 and (sample_shape[1] % patch or sample_shape[2] % patch):
        _, height, width = sample_shape
        raise InputError(
            f"images of {height} x {width} pixels cannot be cut into squares: patch = {patch} must divide both sides"
        )
    places = (*sample_shape[:1], *(side // patch for side in sample_shape[1:]))
    sizes = halvings(places, SMALLEST)
    widths = [min(base_channels * 2**power, max_channels) for power in range(len(sizes))]
    for width in widths:
        if expansion * width % group_channels:
            raise InputError(
                f"the {expansion * width} channels inside a block cannot be put into groups: group_channels = "
                f"{group_channels} must divide expansion times base_channels, and times max_channels"
            )
    return _Plan(sizes, widths, blocks, expansion, group_channels, patch)


class _GeneratorLayers(nn.Module):
    """The generator from `inputs` numbers, of the noise and what else it is given, to images of `channels`."""

    def __init__(self, inputs: int, channels: int, plan: _Plan) -> None:
        super().__init__()
        widths = plan.widths[::-1]
        self.patch = plan.patch
        self.basis = nn.Parameter(torch.randn(widths[0], *plan.sizes[-1]))
        self.scale = _started(nn.Linear(inputs, widths[0], bias=False))
        self.stages = nn.ModuleList(plan.stage(width) for width in widths)
        self.changes = nn.ModuleList(_change(before, after) for before, after in pairwise(widths))
        self.end = _started(nn.Conv2d(widths[-1], channels * plan.patch**2, 1, bias=False))

    def forward(self, z: Tensor) -> Tensor:
        x = self.basis * self.scale(z)[:, :, None, None]
        x = self.stages[0](x.contiguous(memory_format=torch.channels_last))  # a quarter faster in bfloat16 on a CPU
        for change, stage in zip(self.changes, self.stages[1:], strict=True):
            x = stage(interpolate(change(x), scale_factor=2, mode="bilinear"))
        return (torch.tanh(pixel_shuffle(self.end(x), self.patch)) + 1) / 2


class _FeatureLayers(nn.Module):
    """The discriminator from images of `channels` to features `(n, channels of the last map)`."""

    def __init__(self, channels: int, plan: _Plan) -> None:
        super().__init__()
        self.patch = plan.patch
        self.start = _started(nn.Conv2d(channels * plan.patch**2, plan.widths[0], 1, bias=False))
        self.stages = nn.ModuleList(plan.stage(width) for width in plan.widths)
        self.changes = nn.ModuleList(_change(before, after) for before, after in pairwise(plan.widths))
        self.basis = nn.Parameter(torch.randn(plan.widths[-1], *plan.sizes[-1]) * math.prod(plan.sizes[-1]) ** -0.5)

    def forward(self, samples: Tensor) -> Tensor:
        x = pixel_unshuffle(2 * samples - 1, self.patch)
        x = self.stages[0](self.start(x.contiguous(memory_format=torch.channels_last)))
        for change, stage in zip(self.changes, self.stages[1:], strict=True):
            x = stage(change(avg_pool2d(x, 2)))
        features: Tensor = (x * self.basis).sum((2, 3))
        return features


class _Block(nn.Module):
    """A residual block, whose weights start as befits one of `depth`: the generator's docstring says how."""

    def __init__(self, channels: int, inside: int, groups: int, depth: int) -> None:
        super().__init__()
        gain = math.sqrt(2 / (1 + SLOPE**2)) * depth**-0.25
        self.first = _started(nn.Conv2d(channels, inside, 1), gain)
        self.second = _started(nn.Conv2d(inside, inside, 3, padding=1, groups=groups), gain)
        self.third = _started(nn.Conv2d(inside, channels, 1, bias=False), 0)

    def forward(self, x: Tensor) -> Tensor:
        y = leaky_relu(self.first(x), SLOPE)
        y = leaky_relu(self.second(y), SLOPE)
        added: Tensor = x + self.third(y)
        return added


def _change(before: int, after: int) -> nn.Module:
    """Return what changes the number of channels between two sizes, where it does."""
    return nn.Identity() if before == after else _started(nn.Conv2d(before, after, 1, bias=False))


def _started(layer: _Layer, gain: float = 1) -> _Layer:
    """Return a layer with weights from N(0, gain² / inputs of an output), and biases of 0."""
    nn.init.normal_(layer.weight, std=gain / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
