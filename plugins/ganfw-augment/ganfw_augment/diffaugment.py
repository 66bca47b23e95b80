"""Differentiable augmentation with fixed policies."""

from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

from ganfw import RowRandom
from ganfw_augment.images import require_image
from ganfw_augment.shift import shift


class DiffAugment:
    """Changes the colour of each image, moves it, and cuts a rectangle out of it, each by random amounts of its own.

    Source: Zhao et al., "Differentiable Augmentation for Data-Efficient GAN Training", 2020, section 3.2; the amounts
    are those of the authors' code, here for images in [0, 1]:

    - colour: brightness adds u in [-0.25, 0.25] (half of theirs, for images in [-1, 1]); saturation multiplies the
      distances from the mean of the pixel's channels by u in [0, 2]; contrast those from the mean of the image by u in
      [0.5, 1.5]. All u are uniform. Images of one channel have no saturation.
    - translation: by whole pixels, each direction uniform within an eighth of the side, filled with `fill`.
    - cutout: a rectangle of half of each side, its middle anywhere in the image, filled with `fill`.

    Values may leave [0, 1], as in the paper.

    Raises:
        InputError: the samples are not images of 1 or 3 channels.
    """

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        /,
        *,
        colour: Annotated[bool, "change brightness, saturation and contrast"] = True,
        translation: Annotated[float, Ge(0), Le(1), "largest shift as a share of the side; 0 for none"] = 0.125,
        cutout: Annotated[float, Ge(0), Le(1), "sides of the hole as a share of the image's; 0 for none"] = 0.5,
        fill: Annotated[float, Ge(0), Le(1), "value of pixels that come from nowhere; the paper's is 0.5"] = 0.5,
    ) -> None:
        require_image(sample_shape)
        self.colour = colour
        self.translation = translation
        self.cutout = cutout
        self.fill = fill

    def __call__(self, samples: Tensor, random: RowRandom) -> Tensor:
        """Return `(n, channels, height, width)` float32 for images in [0, 1]."""
        if self.colour:
            samples = change_colour(samples, random)
        if self.translation:
            samples = translate(samples, random, self.translation, self.fill)
        if self.cutout:
            samples = cut_out(samples, random, self.cutout, self.fill)
        return samples


def change_colour(samples: Tensor, random: RowRandom) -> Tensor:
    """Change brightness, saturation and contrast of `(n, channels, height, width)` images."""
    brightness, saturation, contrast = random.uniform(3, 1, 1, 1).unbind(1)
    samples = samples + (brightness - 0.5) / 2
    if samples.shape[1] > 1:
        grey = samples.mean(1, keepdim=True)
        samples = torch.lerp(grey, samples, 2 * saturation)
    mean = samples.mean((1, 2, 3), keepdim=True)
    return torch.lerp(mean, samples, contrast + 0.5)


def translate(samples: Tensor, random: RowRandom, ratio: float, fill: float) -> Tensor:
    """Move each of `(n, channels, height, width)` images by whole pixels, at most `ratio` of its sides."""
    for dim in (2, 3):
        most = int(samples.shape[dim] * ratio + 0.5)
        samples = shift(samples, random.integers(2 * most + 1) - most, dim, fill)
    return samples


def cut_out(samples: Tensor, random: RowRandom, ratio: float, fill: float) -> Tensor:
    """Fill a rectangle of each of `(n, channels, height, width)` images; it may hang over their border."""
    holes = []
    for dim in (2, 3):
        size = samples.shape[dim]
        length = int(size * ratio + 0.5)
        starts = random.integers(size + (length + 1) % 2, 1) - length // 2
        distances = torch.arange(size, device=samples.device) - starts  # (n, size)
        shape = [len(samples), 1, 1, 1]
        shape[dim] = size
        holes.append(((distances >= 0) & (distances < length)).view(shape))
    return torch.where(holes[0] & holes[1], fill, samples)
