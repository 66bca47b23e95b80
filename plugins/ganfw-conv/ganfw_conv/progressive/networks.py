"""The networks of progressive growing: convolutions that compute as many sizes of the image as they have reached."""

import math
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from ganfw_conv.layers.equalised import EqualisedConv2d, EqualisedLinear, activate
from ganfw_conv.layers.image_sizes import halvings
from ganfw_conv.layers.minibatch_deviation import MinibatchDeviation
from ganfw_conv.layers.pixel_norm import of_size_1
from ganfw_conv.progressive.growth import Growth, doubled, faded, halved

_BaseChannels = Annotated[int, Ge(1), "maps at the full size; twice as many at each half of it"]
_MostChannels = Annotated[int, Ge(1), "maps at most"]
_Group = Annotated[int, Ge(1), "samples that the minibatch deviation compares"]


class ProgressiveGenerator(nn.Module):
    """Maps noise to images in [0, 1] that grow: from 7 x 7 for 28 pixels, from 4 x 4 for 32, 64, 128.

    At each size there are two 3 x 3 convolutions, whose maps are scaled to a root mean square of 1 at each place, and
    a 1 x 1 convolution to an image, which ends in tanh, moved to [0, 1]. The maps are doubled from size to size.
    `grow` says which sizes are computed. At stage 1.25 the image is three quarters that of the second size, doubled,
    and one quarter that of the third. It is enlarged to the full size by repeating pixels. Without `grow`, as in
    another step than `progressive`, images have the full size.

    Source: Karras et al., "Progressive Growing of GANs", 2018, section 2 and figure 2; scales of weights and maps:
    sections 4.1 and 4.2. The paper has up to 512 maps, and no tanh.

    Attributes:
        last_stage: the number of sizes, less 1.

    Raises:
        InputError: the samples are not images, or their sides cannot be halved.
    """

    def __init__(
        self,
        z_dim: int,
        sample_shape: tuple[int, ...],
        /,
        *,
        base_channels: _BaseChannels = 16,
        most_channels: _MostChannels = 64,
    ) -> None:
        super().__init__()
        sizes, channels = _sizes(sample_shape, base_channels, most_channels)
        self.growth = Growth(len(sizes))
        self.last_stage = self.growth.last
        self.start = EqualisedLinear(z_dim, channels[0] * math.prod(sizes[0]))
        self.unflatten = nn.Unflatten(1, (channels[0], *sizes[0]))
        self.first = EqualisedConv2d(channels[0], channels[0], 3)
        self.blocks = nn.ModuleList(map(_UpBlock, channels[:-1], channels[1:]))
        self.to_images = nn.ModuleList(EqualisedConv2d(each, sample_shape[0], 1) for each in channels)

    def grow(self, stage: float) -> None:
        """Set the stage: 0 for the smallest size, `last_stage` for the full one, with fractions for fades.

        Raises:
            InputError: there is no such stage.
        """
        self.growth.set(stage)

    def forward(self, z: Tensor) -> Tensor:
        """Return `(n, *sample_shape)` float32 in [0, 1] for `(n, z_dim)` float32."""
        largest, share = self.growth.position()
        x = before = _maps(self.first, _activated(self.unflatten(self.start(of_size_1(z)))))
        for number in range(largest):
            before, x = x, self.blocks[number](x)
        images = self._image(largest, x)
        if share is not None:
            images = faded(doubled(self._image(largest - 1, before)), images, share)
        return self.growth.enlarged(images, largest)

    def _image(self, size: int, x: Tensor) -> Tensor:
        """Return the image that the maps of a size make."""
        return (torch.tanh(self.to_images[size](x).float()) + 1) / 2


class ProgressiveDiscriminator(nn.Module):
    """Maps images to a logit by convolutions with an equalised learning rate, from the size it has grown to.

    Images are reduced to that size, by means over squares, and moved to [-1, 1]. Each size has a 1 x 1 convolution
    that makes maps of the image, and two 3 x 3 convolutions whose maps are then halved. At the smallest size follow a
    map of the minibatch deviation, a convolution, a linear layer, and another to the logit. During a fade the maps of
    the halved image are mixed with those that come from the new size. Without `grow` it sees the full size.

    A logit depends on the rows beside it, so that real and fake samples go through it in passes of their own.

    Source: as `ProgressiveGenerator`; the minibatch deviation: section 3.

    Attributes:
        last_stage: the number of sizes, less 1.

    Raises:
        InputError: the samples are not images, or their sides cannot be halved.
    """

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        /,
        *,
        base_channels: _BaseChannels = 16,
        most_channels: _MostChannels = 64,
        group: _Group = 4,
    ) -> None:
        super().__init__()
        sizes, channels = _sizes(sample_shape, base_channels, most_channels)
        self.growth = Growth(len(sizes))
        self.last_stage = self.growth.last
        self.from_images = nn.ModuleList(EqualisedConv2d(sample_shape[0], each, 1) for each in channels)
        self.blocks = nn.ModuleList(map(_DownBlock, channels[1:], channels[:-1]))
        self.deviation = MinibatchDeviation(group)
        self.last = EqualisedConv2d(channels[0] + 1, channels[0], 3)
        self.linear = EqualisedLinear(channels[0] * math.prod(sizes[0]), channels[0])
        self.head = EqualisedLinear(channels[0], 1)

    def grow(self, stage: float) -> None:
        """Set the stage: 0 for the smallest size, `last_stage` for the full one, with fractions for fades.

        Raises:
            InputError: there is no such stage.
        """
        self.growth.set(stage)

    def at_stage(self, images: Tensor) -> Tensor:
        """Return real images as the generator's are at this stage, `(n, *sample_shape)` float32 in [0, 1].

        During a fade they are the same mixture of two sizes. Else it would be seen by what is missing in fakes.
        """
        return self.growth.at_stage(images)

    def forward(self, samples: Tensor) -> Tensor:
        """Return `(n, 1)` logits for `(n, *sample_shape)` float32 in [0, 1]."""
        largest, share = self.growth.position()
        images = 2 * self.growth.shrunk(samples, largest) - 1
        x = activate(self.from_images[largest](images))
        for size in range(largest, 0, -1):
            x = self.blocks[size - 1](x)
            if share is not None and size == largest:
                x = faded(activate(self.from_images[size - 1](halved(images))), x, share)
        x = activate(self.last(self.deviation(x)))
        logits: Tensor = self.head(activate(self.linear(x.flatten(1))))
        return logits.float()


class _UpBlock(nn.Module):
    """Doubles the size: two convolutions of the generator."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = EqualisedConv2d(inputs, outputs, 3)
        self.second = EqualisedConv2d(outputs, outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        return _maps(self.second, _maps(self.first, doubled(x)))


class _DownBlock(nn.Module):
    """Halves the size: two convolutions of the discriminator."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = EqualisedConv2d(inputs, inputs, 3)
        self.second = EqualisedConv2d(inputs, outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        return halved(activate(self.second(activate(self.first(x)))))


def _activated(x: Tensor) -> Tensor:
    return of_size_1(activate(x))


def _maps(layer: nn.Module, x: Tensor) -> Tensor:
    return _activated(layer(x))


def _sizes(
    sample_shape: tuple[int, ...], base_channels: int, most_channels: int
) -> tuple[list[tuple[int, int]], list[int]]:
    """Return (height, width) and the number of maps of each size, the smallest first."""
    sizes = halvings(sample_shape, smallest=4)[::-1]
    channels = [min(base_channels * 2**times, most_channels) for times in reversed(range(len(sizes)))]
    return sizes, channels
