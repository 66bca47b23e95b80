"""The residual discriminator of StyleGAN2."""

import math
from typing import Annotated

from annotated_types import Ge
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from ganfw_conv.layers.classes import require_classes
from ganfw_conv.layers.equalised import EqualisedConv2d, EqualisedLinear, activate
from ganfw_conv.layers.image_sizes import halvings
from ganfw_conv.layers.minibatch_deviation import MinibatchDeviation
from ganfw_conv.layers.projection import ProjectionHead

_BaseChannels = Annotated[int, Ge(1), "maps at the size of the image; twice as many at each half of it"]
_MostChannels = Annotated[int, Ge(1), "maps at most"]
_Group = Annotated[int, Ge(1), "samples that the minibatch deviation compares"]


class StyleDiscriminator(nn.Module):
    """Maps images to a logit through residual blocks with an equalised learning rate, each halving the size.

    Down to 7 x 7 for 28 pixels, to 4 x 4 for 32, 64, 128; then a map of the minibatch deviation, a convolution, a
    linear layer, and another to the logit. Images are moved to [-1, 1] within. A logit depends on the rows beside it,
    so that real and fake samples go through it in passes of their own.

    Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020, section 4.1; the deviation and
    the learning rate: Karras et al., "Progressive Growing of GANs", 2018, sections 3 and 4.1.

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
        self.features = _Features(sample_shape, base_channels, most_channels, group)
        self.head = EqualisedLinear(self.features.outputs, 1)

    def forward(self, samples: Tensor) -> Tensor:
        """Return `(n, 1)` logits for `(n, *sample_shape)` float32 in [0, 1]."""
        logits: Tensor = self.head(self.features(samples))
        return logits.float()


class ConditionalStyleDiscriminator(nn.Module):
    """A `style` discriminator that judges how well an image fits its class, by projection.

    Source: as `StyleDiscriminator`; Miyato and Koyama, "cGANs with Projection Discriminator", 2018, section 2.

    Raises:
        InputError: the data has no labels, the samples are not images, or their sides cannot be halved.
    """

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        num_classes: int | None,
        /,
        *,
        base_channels: _BaseChannels = 16,
        most_channels: _MostChannels = 64,
        group: _Group = 4,
    ) -> None:
        super().__init__()
        self.features = _Features(sample_shape, base_channels, most_channels, group)
        self.head = ProjectionHead(self.features.outputs, require_classes(num_classes), spectral=False)

    def forward(self, samples: Tensor, labels: Tensor) -> Tensor:
        """Return `(n, 1)` logits for `(n, *sample_shape)` float32 in [0, 1] and `(n,)` int64."""
        logits: Tensor = self.head(self.features(samples), labels)
        return logits.float()


class _Features(nn.Module):
    """The discriminator from images to features `(n, outputs)`."""

    def __init__(self, sample_shape: tuple[int, ...], base_channels: int, most_channels: int, group: int) -> None:
        super().__init__()
        sizes = halvings(sample_shape, smallest=4)
        channels = [min(base_channels * 2**halved, most_channels) for halved in range(len(sizes))]
        self.outputs = channels[-1]
        self.first = EqualisedConv2d(sample_shape[0], channels[0], 1)
        self.blocks = nn.Sequential(*map(_Block, channels[:-1], channels[1:]))
        self.deviation = MinibatchDeviation(group)
        self.convolution = EqualisedConv2d(self.outputs + 1, self.outputs, 3)
        self.linear = EqualisedLinear(self.outputs * math.prod(sizes[-1]), self.outputs)

    def forward(self, samples: Tensor) -> Tensor:
        x = self.blocks(activate(self.first(2 * samples - 1)))
        x = activate(self.convolution(self.deviation(x)))
        return activate(self.linear(x.flatten(1)))


class _Block(nn.Module):
    """Two convolutions beside a shortcut, both halving the size; their sum is divided by sqrt(2)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = EqualisedConv2d(inputs, inputs, 3)
        self.second = EqualisedConv2d(inputs, outputs, 3)
        self.shortcut = EqualisedConv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = avg_pool2d(activate(self.second(activate(self.first(x)))), 2)
        halved: Tensor = (y + self.shortcut(avg_pool2d(x, 2))) / math.sqrt(2)
        return halved
