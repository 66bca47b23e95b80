"""The residual networks of SNGAN, with self-attention if wished."""

import math
from collections.abc import Callable
from functools import partial
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu

from ganfw_conv.layers.attention import attention_at
from ganfw_conv.layers.classes import require_classes
from ganfw_conv.layers.conditional_batch_norm import ConditionalBatchNorm2d
from ganfw_conv.layers.image_sizes import halvings
from ganfw_conv.layers.layout import faster_layout
from ganfw_conv.layers.projection import ProjectionHead
from ganfw_conv.layers.spectral import normalised

_Channels = Annotated[int, Ge(1), "channels of every map"]
_Attention = Annotated[Annotated[int, Ge(1)] | None, "height of the maps that self-attention follows; none if left out"]
_Spectral = Annotated[bool, "divide each weight by its largest singular value"]


class ResNetGenerator(nn.Module):
    """Maps noise to images in [0, 1] through residual blocks, each doubling the size.

    From 7 x 7 for 28 pixels, from 4 x 4 for 32, 64, 128, with as many channels everywhere; then BatchNorm, ReLU, a
    3 x 3 convolution and tanh, moved to [0, 1].

    Source: Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018, appendix B.4, table 4
    and figure 8, which has 256 channels for 32 pixels. Self-attention: Zhang et al., "Self-Attention Generative
    Adversarial Networks", 2019, section 3.

    Raises:
        InputError: the samples are not images, their sides cannot be halved, or no map has the height `attention`.
    """

    def __init__(
        self,
        z_dim: int,
        sample_shape: tuple[int, ...],
        /,
        *,
        channels: _Channels = 32,
        attention: _Attention = None,
    ) -> None:
        super().__init__()
        self.layers = _GeneratorLayers(z_dim, sample_shape, channels, attention, nn.BatchNorm2d)

    def forward(self, z: Tensor) -> Tensor:
        """Return `(n, *sample_shape)` float32 in [0, 1] for `(n, z_dim)` float32."""
        images: Tensor = self.layers(z)
        return images


class ConditionalResNetGenerator(nn.Module):
    """A `resnet` generator whose BatchNorm scales and shifts by the class.

    Source: Miyato and Koyama, "cGANs with Projection Discriminator", 2018, section 5.

    Attributes:
        num_classes: how many classes there are.

    Raises:
        InputError: the data has no labels, the samples are not images, their sides cannot be halved, or no map has
            the height `attention`.
    """

    def __init__(
        self,
        z_dim: int,
        sample_shape: tuple[int, ...],
        num_classes: int | None,
        /,
        *,
        channels: _Channels = 32,
        attention: _Attention = None,
    ) -> None:
        super().__init__()
        self.num_classes = require_classes(num_classes)
        norm = partial(ConditionalBatchNorm2d, num_classes=self.num_classes)
        self.layers = _GeneratorLayers(z_dim, sample_shape, channels, attention, norm)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Return `(n, *sample_shape)` float32 in [0, 1] for `(n, z_dim)` float32 and `(n,)` int64."""
        images: Tensor = self.layers(z, labels)
        return images


class ResNetDiscriminator(nn.Module):
    """Maps images to a logit through residual blocks without BatchNorm.

    Blocks halve the size to 7 x 7 for 28 pixels, to 8 x 8 for 32, 64, 128; two more keep it; then ReLU, the sum over
    all places, and a linear layer, with as many channels everywhere. Images are moved to [-1, 1] within.

    Source: Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018, section 2.1, appendix
    B.4, table 4 and figure 8, which has 128 channels for 32 pixels.

    Raises:
        InputError: the samples are not images, their sides cannot be halved, or no map has the height `attention`.
    """

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        /,
        *,
        channels: _Channels = 32,
        spectral: _Spectral = True,
        attention: _Attention = None,
    ) -> None:
        super().__init__()
        self.features = _FeatureLayers(sample_shape, channels, spectral, attention)
        self.head = normalised(nn.Linear(channels, 1), spectral)

    def forward(self, samples: Tensor) -> Tensor:
        """Return `(n, 1)` logits for `(n, *sample_shape)` float32 in [0, 1]."""
        logits: Tensor = self.head(self.features(samples))
        return logits


class ConditionalResNetDiscriminator(nn.Module):
    """A `resnet` discriminator that judges how well an image fits its class, by projection.

    Source: Miyato and Koyama, "cGANs with Projection Discriminator", 2018, section 2.

    Raises:
        InputError: the data has no labels, the samples are not images, their sides cannot be halved, or no map has
            the height `attention`.
    """

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        num_classes: int | None,
        /,
        *,
        channels: _Channels = 32,
        spectral: _Spectral = True,
        attention: _Attention = None,
    ) -> None:
        super().__init__()
        self.features = _FeatureLayers(sample_shape, channels, spectral, attention)
        self.head = ProjectionHead(channels, require_classes(num_classes), spectral)

    def forward(self, samples: Tensor, labels: Tensor) -> Tensor:
        """Return `(n, 1)` logits for `(n, *sample_shape)` float32 in [0, 1] and `(n,)` int64."""
        logits: Tensor = self.head(self.features(samples), labels)
        return logits


class _GeneratorLayers(nn.Module):
    """The generator; `norm` makes a BatchNorm for a number of channels, called with what follows the noise."""

    def __init__(
        self,
        z_dim: int,
        sample_shape: tuple[int, ...],
        channels: int,
        attention: int | None,
        norm: Callable[[int], nn.Module],
    ) -> None:
        super().__init__()
        sizes = halvings(sample_shape, smallest=4)
        start = (channels, *sizes[-1])
        linear = nn.Linear(z_dim, math.prod(start))
        nn.init.xavier_uniform_(linear.weight)
        self.start = nn.Sequential(linear, nn.Unflatten(1, start))
        self.blocks = nn.ModuleList(_UpBlock(channels, norm) for _ in sizes[1:])
        self.attentions = attention_at(attention, sizes[-2::-1], channels)
        self.norm = norm(channels)
        self.end = _convolution(channels, sample_shape[0], 3)

    def forward(self, z: Tensor, *labels: Tensor) -> Tensor:
        x = faster_layout(self.start(z))
        for block, attend in zip(self.blocks, self.attentions, strict=True):
            x = attend(block(x, *labels))
        x = relu(self.norm(x, *labels))
        return (torch.tanh(self.end(x)) + 1) / 2


class _FeatureLayers(nn.Module):
    """The discriminator from images to features `(n, channels)`."""

    def __init__(self, sample_shape: tuple[int, ...], channels: int, spectral: bool, attention: int | None) -> None:
        super().__init__()
        sizes = halvings(sample_shape, smallest=5)[1:]
        first = _FirstBlock(sample_shape[0], channels, spectral)
        halving = [_DownBlock(channels, spectral, halves=True) for _ in sizes[1:]]
        self.halving = nn.ModuleList([first, *halving])
        self.attentions = attention_at(attention, sizes, channels, spectral)
        self.keeping = nn.Sequential(*(_DownBlock(channels, spectral, halves=False) for _ in range(2)))

    def forward(self, samples: Tensor) -> Tensor:
        x = faster_layout(2 * samples - 1)
        for block, attend in zip(self.halving, self.attentions, strict=True):
            x = attend(block(x))
        return relu(self.keeping(x)).sum((2, 3))


class _UpBlock(nn.Module):
    """A residual block of the generator, which doubles the size (Miyato et al., 2018, figure 8)."""

    def __init__(self, channels: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.norms = nn.ModuleList([norm(channels), norm(channels)])
        self.first = _convolution(channels, channels, 3)
        self.second = _convolution(channels, channels, 3)
        self.shortcut = _convolution(channels, channels, 1)

    def forward(self, x: Tensor, *labels: Tensor) -> Tensor:
        y = self.first(_double(relu(self.norms[0](x, *labels))))
        y = self.second(relu(self.norms[1](y, *labels)))
        doubled: Tensor = y + _double(self.shortcut(x))  # the same as a 1 x 1 convolution of x doubled, for a quarter
        return doubled


class _FirstBlock(nn.Module):
    """The residual block that sees the image, and halves its size: without a ReLU before its first layer."""

    def __init__(self, inputs: int, channels: int, spectral: bool) -> None:
        super().__init__()
        self.first = _convolution(inputs, channels, 3, spectral)
        self.second = _convolution(channels, channels, 3, spectral)
        self.shortcut = _convolution(inputs, channels, 1, spectral)

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(relu(self.first(x)))
        halved: Tensor = avg_pool2d(y, 2) + self.shortcut(avg_pool2d(x, 2))
        return halved


class _DownBlock(nn.Module):
    """A residual block of the discriminator, which halves the size or keeps it."""

    def __init__(self, channels: int, spectral: bool, halves: bool) -> None:
        super().__init__()
        self.first = _convolution(channels, channels, 3, spectral)
        self.second = _convolution(channels, channels, 3, spectral)
        self.shortcut = _convolution(channels, channels, 1, spectral) if halves else None

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(relu(self.first(relu(x))))
        if self.shortcut is None:
            return x + y
        halved: Tensor = avg_pool2d(y, 2) + self.shortcut(avg_pool2d(x, 2))
        return halved


def _double(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=2, mode="nearest")


def _convolution(inputs: int, outputs: int, side: int, spectral: bool = False) -> nn.Module:
    layer = nn.Conv2d(inputs, outputs, side, padding=side // 2)
    nn.init.xavier_uniform_(layer.weight)
    return normalised(layer, spectral)
