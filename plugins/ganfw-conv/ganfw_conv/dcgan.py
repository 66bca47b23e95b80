"""The deep convolutional GAN."""

import math
from itertools import pairwise
from typing import Annotated, Literal

import torch
from annotated_types import Ge
from torch import Tensor, nn

from ganfw_conv.layers.classes import require_classes
from ganfw_conv.layers.image_sizes import halvings
from ganfw_conv.layers.layout import faster_layout
from ganfw_conv.layers.projection import ProjectionHead
from ganfw_conv.layers.spectral import normalised

SMALLEST = 4
"""The least side of a map."""


class DCGANGenerator(nn.Sequential):
    """Maps noise to images in [0, 1] by transposed convolutions, each doubling the size.

    From 7 x 7 for 28 pixels, from 4 x 4 for 32, 64, 128; the last map before the image has `base_channels`, each
    map before it twice as many. BatchNorm and ReLU follow every layer but the last, which ends in tanh, moved to
    [0, 1]. Weights start from N(0, 0.02^2).

    Source: Radford, Metz and Chintala, "Unsupervised Representation Learning with Deep Convolutional Generative
    Adversarial Networks", 2016, sections 3 and 4 and figure 1, which has 128 base channels, 64 pixels, and kernels of
    5 x 5; here they are 4 x 4, which cover every pixel equally often at a stride of 2.

    Raises:
        InputError: the samples are not images, or their sides cannot be halved.
    """

    def __init__(
        self,
        z_dim: int,
        sample_shape: tuple[int, ...],
        /,
        *,
        base_channels: Annotated[int, Ge(1), "channels of the last map before the image"] = 32,
        norm: Annotated[Literal["batch", "none"], "what follows every layer but the last"] = "batch",
    ) -> None:
        super().__init__(*_generator_layers(z_dim, sample_shape, base_channels, norm))
        self.apply(_initialise)


class ConditionalDCGANGenerator(nn.Module):
    """A `dcgan` generator that is given an embedding of the class beside the noise.

    Embeddings start with a length of about 1, that of a one-hot vector: long ones drown the noise, and each class
    becomes one picture.

    Source: Mirza and Osindero, "Conditional Generative Adversarial Nets", 2014, section 3.2.

    Attributes:
        num_classes: how many classes there are.

    Raises:
        InputError: the data has no labels, the samples are not images, or their sides cannot be halved.
    """

    def __init__(
        self,
        z_dim: int,
        sample_shape: tuple[int, ...],
        num_classes: int | None,
        /,
        *,
        base_channels: Annotated[int, Ge(1), "channels of the last map before the image"] = 32,
        norm: Annotated[Literal["batch", "none"], "what follows every layer but the last"] = "batch",
        embedding_dim: Annotated[int, Ge(1), "length of the embedding of a class"] = 32,
    ) -> None:
        super().__init__()
        self.num_classes = require_classes(num_classes)
        self.embedding = nn.Embedding(self.num_classes, embedding_dim)
        nn.init.normal_(self.embedding.weight, std=embedding_dim**-0.5)
        self.layers = nn.Sequential(*_generator_layers(z_dim + embedding_dim, sample_shape, base_channels, norm))
        self.layers.apply(_initialise)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Return `(n, *sample_shape)` float32 in [0, 1] for `(n, z_dim)` float32 and `(n,)` int64."""
        images: Tensor = self.layers(torch.cat([z, self.embedding(labels)], dim=1))
        return images


class DCGANDiscriminator(nn.Sequential):
    """Maps images to a logit by strided convolutions, each halving the size, with LeakyReLU(0.2).

    The mirror image of the generator: `base_channels` in the first map, twice as many in each after it, and one
    linear layer from the last map to the logit. The first layer has no BatchNorm. Images are moved to [-1, 1] within.

    BatchNorm makes a row's logit depend on its neighbours, so that real and fake samples are judged in passes of
    their own; without it both go through in one pass. Spectral normalisation needs two passes as well.

    Source: Radford, Metz and Chintala, 2016, sections 3 and 4; with `norm = "spectral"` Miyato et al., "Spectral
    Normalization for Generative Adversarial Networks", 2018, section 2.1.

    Raises:
        InputError: the samples are not images, or their sides cannot be halved.
    """

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        /,
        *,
        base_channels: Annotated[int, Ge(1), "channels of the first map"] = 32,
        norm: Annotated[
            Literal["batch", "none", "spectral"], "BatchNorm after every convolution but the first, or of weights"
        ] = "batch",
    ) -> None:
        layers, features = _feature_layers(sample_shape, base_channels, norm)
        super().__init__(*layers, nn.Linear(features, 1))
        self.apply(_initialise)
        _normalise_weights(self, norm)


class ConditionalDCGANDiscriminator(nn.Module):
    """A `dcgan` discriminator that judges how well an image fits its class, by projection.

    Source: Miyato and Koyama, "cGANs with Projection Discriminator", 2018, section 2.

    Raises:
        InputError: the data has no labels, the samples are not images, or their sides cannot be halved.
    """

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        num_classes: int | None,
        /,
        *,
        base_channels: Annotated[int, Ge(1), "channels of the first map"] = 32,
        norm: Annotated[
            Literal["batch", "none", "spectral"], "BatchNorm after every convolution but the first, or of weights"
        ] = "batch",
    ) -> None:
        super().__init__()
        layers, features = _feature_layers(sample_shape, base_channels, norm)
        self.features = nn.Sequential(*layers)
        self.features.apply(_initialise)
        _normalise_weights(self.features, norm)
        self.head = ProjectionHead(features, require_classes(num_classes), spectral=norm == "spectral")

    def forward(self, samples: Tensor, labels: Tensor) -> Tensor:
        """Return `(n, 1)` logits for `(n, *sample_shape)` float32 in [0, 1] and `(n,)` int64."""
        logits: Tensor = self.head(self.features(samples), labels)
        return logits


class ToUnit(nn.Module):
    """Squashes any number into [0, 1]: tanh, moved from [-1, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        """Return float32 of the same shape."""
        return (torch.tanh(x) + 1) / 2


class FromUnit(nn.Module):
    """Moves [0, 1] to [-1, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        """Return float32 of the same shape."""
        return faster_layout(2 * x - 1)


class ToMaps(nn.Unflatten):
    """Makes maps of the features of each sample, in the layout that is faster."""

    def forward(self, x: Tensor) -> Tensor:
        """Return `(n, channels, height, width)` for `(n, features)`."""
        return faster_layout(super().forward(x))


def _generator_layers(inputs: int, sample_shape: tuple[int, ...], base_channels: int, norm: str) -> list[nn.Module]:
    sizes = halvings(sample_shape, SMALLEST)
    widths = [base_channels * 2**power for power in reversed(range(len(sizes) - 1))]
    start = (widths[0], *sizes[-1])
    layers = [nn.Linear(inputs, math.prod(start)), ToMaps(1, start), *_after(widths[0], norm)]
    for before, after in pairwise(widths):
        layers += [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=norm == "none"), *_after(after, norm)]
    return [*layers, nn.ConvTranspose2d(base_channels, sample_shape[0], 4, 2, 1), ToUnit()]


def _after(channels: int, norm: str) -> list[nn.Module]:
    """Return what follows a layer of the generator that is not the last."""
    return [*([nn.BatchNorm2d(channels)] if norm == "batch" else []), nn.ReLU(inplace=True)]


def _feature_layers(sample_shape: tuple[int, ...], base_channels: int, norm: str) -> tuple[list[nn.Module], int]:
    """Return the layers from images to features `(n, features)`, and how many features there are."""
    sizes = halvings(sample_shape, SMALLEST)
    widths = [sample_shape[0], *(base_channels * 2**power for power in range(len(sizes) - 1))]
    layers: list[nn.Module] = [FromUnit()]
    for index, (before, after) in enumerate(pairwise(widths)):
        has_batch_norm = norm == "batch" and index > 0
        layers.append(nn.Conv2d(before, after, 4, 2, 1, bias=not has_batch_norm))
        layers += [nn.BatchNorm2d(after)] if has_batch_norm else []
        layers.append(nn.LeakyReLU(0.2, inplace=True))
    return [*layers, nn.Flatten()], math.prod((widths[-1], *sizes[-1]))


def _initialise(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(layer.weight, std=0.02)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _normalise_weights(layers: nn.Sequential, norm: str) -> None:
    for index, layer in enumerate(layers):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layers[index] = normalised(layer, norm == "spectral")
