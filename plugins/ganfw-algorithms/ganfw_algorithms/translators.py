"""Networks from images to images, discriminators of patches, and how far translations are from their targets."""

from collections.abc import Mapping
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganfw import InputError, Training, evaluation_mode
from ganfw_algorithms.measurements import EverySteps, Measurement, held_out

Channels = Annotated[int, Ge(1), "channels of the first map"]
CHUNK = 500


class Translator(nn.Module):
    """Maps images to images of the same size in (0, 1): a convolution, one down, residual blocks, one up, a last one.

    The last one sees the map of the first beside what comes up, so that fine lines need not pass through the half-size
    maps. InstanceNorm, so that each image is translated by itself; without it outputs go black within a
    few steps, for most pixels are, and stay so.

    Source of the form: Johnson, Alahi and Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and
    Super-Resolution", 2016, and Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", 2017,
    for the shortcut; both far larger.

    Raises:
        InputError: the samples are not images, or their sides are odd.
    """

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        /,
        *,
        channels: Channels = 16,
        blocks: Annotated[int, Ge(0), "residual blocks"] = 2,
    ) -> None:
        if len(sample_shape) != 3 or sample_shape[1] % 2 or sample_shape[2] % 2:
            raise InputError(f"a translator needs images with even sides, not samples of shape {sample_shape}")
        super().__init__()
        colours = sample_shape[0]
        self.first = _normalised(nn.Conv2d(colours, channels, 3, padding=1), channels)
        self.down = _normalised(nn.Conv2d(channels, 2 * channels, 4, 2, 1), 2 * channels)
        self.blocks = nn.ModuleList(_residual(2 * channels) for _ in range(blocks))
        self.up = _normalised(nn.ConvTranspose2d(2 * channels, channels, 4, 2, 1), channels)
        self.last = nn.Conv2d(2 * channels, colours, 3, padding=1)

    def forward(self, samples: Tensor) -> Tensor:
        """Return `(n, channels, height, width)` float32 in (0, 1) for such images."""
        fine = self.first(2 * samples - 1)
        coarse = self.down(fine)
        for block in self.blocks:
            coarse = coarse + block(coarse)
        translated: Tensor = torch.sigmoid(self.last(torch.cat([fine, self.up(coarse)], dim=1)))
        return translated


def _normalised(convolution: nn.Module, channels: int) -> nn.Sequential:
    return nn.Sequential(convolution, nn.InstanceNorm2d(channels, affine=True), nn.LeakyReLU(0.2))


def _residual(channels: int) -> nn.Sequential:
    first, last = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
    return nn.Sequential(*_normalised(first, channels), last, nn.InstanceNorm2d(channels, affine=True))


class PatchDiscriminator(nn.Module):
    """Judges patches: a logit for each patch of 18 x 18, `(n, 1, height / 4, width / 4)`.

    Source: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", 2017, whose patches are of
    70 x 70 in images of 256 x 256.

    Raises:
        InputError: the samples are not images.
    """

    def __init__(self, sample_shape: tuple[int, ...], /, *, channels: Channels = 16) -> None:
        if len(sample_shape) != 3:
            raise InputError(f"a discriminator of patches needs images, not samples of shape {sample_shape}")
        super().__init__()
        self.layers = _patch_layers(sample_shape[0], channels)

    def forward(self, samples: Tensor) -> Tensor:
        """Return `(n, 1, height / 4, width / 4)` logits for `(n, channels, height, width)` float32 in [0, 1]."""
        logits: Tensor = self.layers(2 * samples - 1)
        return logits


class PairPatchDiscriminator(nn.Module):
    """Judges patches of an image together with those of the image it was made from: `patch` for pix2pix.

    Source: as `PatchDiscriminator`.

    Raises:
        InputError: the samples are not images.
    """

    def __init__(self, sample_shape: tuple[int, ...], /, *, channels: Channels = 16) -> None:
        if len(sample_shape) != 3:
            raise InputError(f"a discriminator of patches needs images, not samples of shape {sample_shape}")
        super().__init__()
        self.layers = _patch_layers(2 * sample_shape[0], channels)

    def forward(self, samples: Tensor, source: Tensor) -> Tensor:
        """Return `(n, 1, height / 4, width / 4)` logits for two `(n, channels, height, width)` float32 in [0, 1]."""
        logits: Tensor = self.layers(2 * torch.cat([samples, source], dim=1) - 1)
        return logits


class MultiScalePatches(nn.Module):
    """Judges patches of an image at several scales: `patch_pairs` with a network for each.

    Each scale has half the size of the one before, by the mean of 3 x 3 pixels, so that its patches show twice as much.
    The logits of each are enlarged to the map of the first. So the mean of a loss over all logits is the mean of those
    of the scales.

    Source: Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs", 2018,
    section 3.2, whose losses of the scales are added up. The matching of features, from the same section, is left out.

    Raises:
        InputError: the samples are not images, or too small for so many scales.
    """

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        /,
        *,
        channels: Channels = 16,
        scales: Annotated[int, Ge(1), "how many sizes of the image are judged"] = 2,
    ) -> None:
        if len(sample_shape) != 3:
            raise InputError(f"a discriminator of patches needs images, not samples of shape {sample_shape}")
        if min(sample_shape[1:]) < 4 * 2 ** (scales - 1):
            raise InputError(f"samples of shape {sample_shape} are too small for {scales} scales; lower scales")
        super().__init__()
        self.scales = nn.ModuleList(_patch_layers(2 * sample_shape[0], channels) for _ in range(scales))
        self.halve = nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)

    def forward(self, samples: Tensor, source: Tensor) -> Tensor:
        """Return `(n, 1, scales, height / 4, width / 4)` logits for two `(n, channels, height, width)` in [0, 1]."""
        images, logits = 2 * torch.cat([samples, source], dim=1) - 1, []
        for layers in self.scales:
            logits.append(layers(images))
            images = self.halve(images)
        return torch.stack([interpolate(each, logits[0].shape[2:]) for each in logits], dim=2)


def _patch_layers(inputs: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, channels, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(channels, 2 * channels, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(2 * channels, 1, 3, padding=1),
    )


class TranslationError(Measurement):
    """Measures how far translations of held-out samples are from their targets, in mean absolute pixel values.

    `translation`: that of the generator's translations; `identity`: that of the inputs themselves, which a translation
    must beat; `ratio`: the first in shares of the second. Of `back`, where there is such a network, the same in the
    other direction: `back_translation`, `back_ratio`.
    """

    name = "translation_error"

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        /,
        *,
        count: Annotated[int, Ge(1), "held-out samples"] = 2000,
        every_steps: EverySteps = 500,
    ) -> None:
        super().__init__(every_steps)
        self.count = count
        self.networks = {name: networks[name] for name in ("generator", "back") if name in networks}

    def measure(self, training: Training) -> Mapping[str, float]:
        """Return the errors, from 0 to 1.

        Raises:
            RunError: the data has no held-out part.
            InputError: the data has no entry `target`.
        """
        data = held_out(training, self.name)
        if "target" not in data.more:
            raise InputError("translation_error needs data with an entry 'target'; take data.use = 'mnist_outlines'")
        source, target = (each[: self.count].float() / 255 for each in (data.samples, data.more["target"]))
        identity = float((source - target).abs().mean())
        found = {"identity": identity}
        for name, (given, wanted) in {"generator": (source, target), "back": (target, source)}.items():
            if name in self.networks:
                error = mean_error(self.networks[name], given, wanted)
                prefix = "" if name == "generator" else "back_"
                found |= {f"{prefix}translation": error, f"{prefix}ratio": error / identity}
        return found


@torch.no_grad()
def mean_error(network: nn.Module, given: Tensor, wanted: Tensor) -> float:
    """Return the mean absolute difference between what a network makes of images and what is wanted."""
    with evaluation_mode(network):
        chunks = zip(given.split(CHUNK), wanted.split(CHUNK), strict=True)
        return float(
            torch.stack([(network(each) - target).abs().sum() for each, target in chunks]).sum() / wanted.numel()
        )
