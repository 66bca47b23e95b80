"""Style-based generators: noise becomes a vector w, which scales the weights of each layer."""

from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganfw_conv.layers.classes import require_classes
from ganfw_conv.layers.equalised import activate
from ganfw_conv.layers.image_sizes import halvings
from ganfw_conv.style.mapping import StyleMapping
from ganfw_conv.style.modulated_convolution import ModulatedConv2d

_WDim = Annotated[int, Ge(1), "length of w"]
_MappingLayers = Annotated[int, Ge(1), "linear layers from noise to w"]
_BaseChannels = Annotated[int, Ge(1), "maps at the size of the image; twice as many at each half of it"]
_MostChannels = Annotated[int, Ge(1), "maps at most"]
_Mixing = Annotated[float, Ge(0), Le(1), "in training, the probability that later layers get the w of another sample"]
_InjectNoise = Annotated[bool, "add a map of noise after each convolution"]


class StyleGenerator(nn.Module):
    """Maps noise to images in [0, 1] by convolutions whose weights a style scales: StyleGAN2's generator, small.

    A mapping makes w of the noise, which is first scaled to a root mean square of 1. The maps start from a constant
    that is learnt, 7 x 7 for 28 pixels and 4 x 4 for 32, 64, 128. They are doubled, with linear interpolation, up
    to the size of the image. Each size has two modulated convolutions, the smallest has one. After each of them a
    map of noise is added, times a strength that is learnt and starts at 0. The maps of each size also make an
    image. The sum of these images, each doubled up to the full size, ends in tanh, moved to [0, 1].

    In training the injected noise is drawn anew. With the probability `mixing` a row gets the w of another row of the
    batch from a random layer on. These numbers come from torch's global generator, as those of dropout do, so that a
    run can be repeated and resumed. Several processes draw the same numbers, each for its own rows.

    In evaluation mode an image is a function of z: nothing is mixed, and the injected noise is fixed, the same for all
    samples, and saved with the network. The sampler `style` draws it for each sample instead. For the truncation of
    this sampler the mapping keeps a running mean of w.

    Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020, sections 2.2 and 4.1; mapping,
    constant, injected noise and mixing: Karras et al., "A Style-Based Generator Architecture for Generative Adversarial
    Networks", 2019, sections 2 and 3. The papers have 512 numbers in w, 8 layers in the mapping, and up to 512 maps.

    Raises:
        InputError: the samples are not images, or their sides cannot be halved.
    """

    def __init__(
        self,
        z_dim: int,
        sample_shape: tuple[int, ...],
        /,
        *,
        w_dim: _WDim = 64,
        mapping_layers: _MappingLayers = 4,
        base_channels: _BaseChannels = 16,
        most_channels: _MostChannels = 64,
        mixing: _Mixing = 0.9,
        inject_noise: _InjectNoise = True,
    ) -> None:
        super().__init__()
        self.mapping = StyleMapping(z_dim, 1, w_dim, mapping_layers)
        self.synthesis = StyleSynthesis(sample_shape, w_dim, base_channels, most_channels, inject_noise)
        self.mixing = mixing

    def forward(self, z: Tensor) -> Tensor:
        """Return `(n, *sample_shape)` float32 in [0, 1] for `(n, z_dim)` float32."""
        return _generate(self.mapping, self.synthesis, self.mixing, z, None)


class ConditionalStyleGenerator(nn.Module):
    """A `style` generator whose mapping is given an embedding of the class beside the noise.

    The running mean of w is one for each class.

    Source: as `StyleGenerator`; the class: Karras et al., "Training Generative Adversarial Networks with Limited Data",
    2020.

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
        w_dim: _WDim = 64,
        mapping_layers: _MappingLayers = 4,
        base_channels: _BaseChannels = 16,
        most_channels: _MostChannels = 64,
        mixing: _Mixing = 0.9,
        inject_noise: _InjectNoise = True,
    ) -> None:
        super().__init__()
        self.num_classes = require_classes(num_classes)
        self.mapping = StyleMapping(z_dim, self.num_classes, w_dim, mapping_layers)
        self.synthesis = StyleSynthesis(sample_shape, w_dim, base_channels, most_channels, inject_noise)
        self.mixing = mixing

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Return `(n, *sample_shape)` float32 in [0, 1] for `(n, z_dim)` float32 and `(n,)` int64."""
        return _generate(self.mapping, self.synthesis, self.mixing, z, labels)


class StyleSynthesis(nn.Module):
    """Makes images of w: from a constant, through modulated convolutions, doubling the size.

    Attributes:
        styles: how many vectors w an image takes: one for each convolution, and one for the last layer that makes an
            image; the others of this kind share that of the convolution after them.
        places: how many numbers of injected noise an image takes.
    """

    constant: nn.Parameter
    fixed_noise: Tensor

    def __init__(
        self, sample_shape: tuple[int, ...], w_dim: int, base_channels: int, most_channels: int, inject_noise: bool
    ) -> None:
        super().__init__()
        sizes = halvings(sample_shape, smallest=4)
        channels = [min(base_channels * 2**halved, most_channels) for halved in range(len(sizes))]
        self.constant = nn.Parameter(torch.randn(channels[-1], *sizes[-1]))
        self.convolutions = nn.ModuleList([_StyledConvolution(channels[-1], channels[-1], w_dim, inject_noise)])
        self.to_images = nn.ModuleList([_ToImage(channels[-1], sample_shape[0], w_dim)])
        self.doublings = nn.ModuleList()
        noise_sizes = [sizes[-1]]
        for size, outputs, inputs in zip(sizes[-2::-1], channels[-2::-1], channels[:0:-1], strict=True):
            self.doublings.append(_Doubling(size))
            self.convolutions.append(_StyledConvolution(inputs, outputs, w_dim, inject_noise))
            self.convolutions.append(_StyledConvolution(outputs, outputs, w_dim, inject_noise))
            self.to_images.append(_ToImage(outputs, sample_shape[0], w_dim))
            noise_sizes += [size, size]
        self.styles = len(self.convolutions) + 1
        self.noise_sizes = noise_sizes
        self.places = sum(height * width for height, width in noise_sizes) if inject_noise else 0
        self.register_buffer("fixed_noise", torch.randn(1, self.places))

    def forward(self, w: Tensor, noise: Tensor | None = None) -> Tensor:
        """Return `(n, *sample_shape)` float32 in [0, 1].

        Args:
            w: `(n, w_dim)` float32, the style of all layers, or `(n, styles, w_dim)`, one for each.
            noise: `(n, places)` float32, the injected noise; by default drawn in training mode, and fixed otherwise.
        """
        w = w[:, None].expand(-1, self.styles, -1) if w.ndim == 2 else w
        count = w.shape[0]  # not len, of which torch.export would make a constant
        if noise is None and self.training:
            noise = torch.randn(count, self.places, device=w.device)
        maps = self._maps(self.fixed_noise.expand(count, -1) if noise is None else noise)
        x = self.convolutions[0](self.constant.expand(count, -1, -1, -1), w[:, 0], maps[0])
        image = self.to_images[0](x, w[:, 1])
        for number, doubling in enumerate(self.doublings):
            first, second = 2 * number + 1, 2 * number + 2
            x = self.convolutions[first](doubling(x), w[:, first], maps[first])
            x = self.convolutions[second](x, w[:, second], maps[second])
            image = doubling(image) + self.to_images[number + 1](x, w[:, second + 1])
        return (torch.tanh(image) + 1) / 2

    def _maps(self, noise: Tensor) -> list[Tensor]:
        """Return the injected noise of each convolution, `(n, 1, height, width)`; one zero each if there is none."""
        if not self.places:
            return [noise.new_zeros(1, 1, 1, 1) for _ in self.noise_sizes]
        pieces = noise.split([height * width for height, width in self.noise_sizes], dim=1)
        return [piece.unflatten(1, (1, *size)) for piece, size in zip(pieces, self.noise_sizes, strict=True)]


class _StyledConvolution(nn.Module):
    """A modulated 3 x 3 convolution, then noise, a bias and a leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, w_dim: int, inject_noise: bool) -> None:
        super().__init__()
        self.convolution = ModulatedConv2d(inputs, outputs, 3, w_dim)
        self.strength = nn.Parameter(torch.zeros(())) if inject_noise else None
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        y: Tensor = self.convolution(x, w) + self.bias[:, None, None]
        return activate(y if self.strength is None else y + self.strength * noise)


class _ToImage(nn.Module):
    """A modulated 1 x 1 convolution, without demodulation, to the channels of an image."""

    def __init__(self, inputs: int, outputs: int, w_dim: int) -> None:
        super().__init__()
        self.convolution = ModulatedConv2d(inputs, outputs, 1, w_dim, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        y: Tensor = self.convolution(x, w) + self.bias[:, None, None]
        return y


class _Doubling(nn.Module):
    """Doubles height and width by linear interpolation, as products with two matrices.

    Their gradient is the same in each run on a GPU, where that of torch's own interpolation is not.
    """

    rows: Tensor
    columns: Tensor

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        for name, side in zip(("rows", "columns"), size, strict=True):
            matrix = interpolate(torch.eye(side // 2)[None], scale_factor=2, mode="linear")[0]
            self.register_buffer(name, matrix, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return ((x @ self.columns).transpose(2, 3) @ self.rows).transpose(2, 3)


def _generate(
    mapping: StyleMapping, synthesis: StyleSynthesis, mixing: float, z: Tensor, labels: Tensor | None
) -> Tensor:
    """Return what a generator returns; in training, note the mean of w, and mix."""
    w = mapping(z, labels)
    if mapping.training:
        mapping.note(w, labels)
    if mapping.training and mixing > 0:
        w = mix(w, mapping(z.roll(1, 0), labels), synthesis.styles, mixing)
    images: Tensor = synthesis(w)
    return images


def mix(w: Tensor, others: Tensor, styles: int, probability: float) -> Tensor:
    """Return the styles of each layer, `(n, styles, w_dim)`: w up to a random layer, the other vector from it on.

    Args:
        w: `(n, w_dim)` float32.
        others: `(n, w_dim)` float32.
        styles: how many layers there are; at least the first one gets w.
        probability: of a row to be mixed, from torch's global generator.
    """
    first = torch.randint(1, styles, (len(w), 1), device=w.device)
    is_mixed = torch.rand(len(w), 1, device=w.device) < probability
    is_other = is_mixed & (torch.arange(styles, device=w.device) >= first)
    return torch.where(is_other[:, :, None], others[:, None], w[:, None])
