"""Adaptive discriminator augmentation."""

from typing import Annotated, Any

import torch
from annotated_types import Ge, Le
from torch import Tensor

from ganfw import InputError, RowRandom
from ganfw_augment.images import require_image
from ganfw_augment.shift import shift
from ganfw_augment.tint import change_contrast, turn_hue
from ganfw_augment.zoom_and_turn import zoom_and_turn


class ADA:
    """Augments images with a probability p that follows how much the discriminator overfits.

    r = E[sign(D(real))] is 0 where the discriminator guesses and 1 where it knows every real sample. Over every four
    passes of the discriminator it is compared with the target; p rises where it is above, falls where it is below, by
    as much as takes it from 0 to 1 within `speed_images` images. For losses whose logits are above 0 for what is
    taken for real. Nothing waits for the device.

    Each transform is applied to a row with probability p, independently, with random amounts, in this order:

    - pixel blitting: `flips` (mirrored left to right, off), `quarter_turns` (off), shifts by whole pixels;
    - geometry: zooms by 2^N(0, `zoom`^2), the same in both directions, and turns by at most `turn_degrees`;
    - `colour`: brightness by N(0, 0.1^2), contrast by 2^N(0, 0.5^2), and with three channels hue by any angle and
      saturation by 2^N(0, 1).

    What comes from beyond the border is mirrored at it.

    Source: Karras et al., "Training Generative Adversarial Networks with Limited Data", 2020, section 3 and appendix
    B. Of the paper's transforms, anisotropic scaling, fractional shifts, the luma flip, filtering, noise and cutout are
    not here; turns are full circles there, and geometry is resampled with better filters than the bilinear one here.

    Attributes:
        p: the probability, a float32 scalar on the device.

    Raises:
        InputError: the samples are not images of 1 or 3 channels, or quarter turns are asked for and the images are
            not square.
    """

    def __init__(
        self,
        device: torch.device,
        sample_shape: tuple[int, ...],
        /,
        *,
        target: Annotated[float, Ge(-1), Le(1), "the mean sign of logits of real samples to keep to"] = 0.6,
        speed_images: Annotated[int, Ge(1), "images within which p can go from 0 to 1"] = 500_000,
        every_passes: Annotated[int, Ge(1), "passes of the discriminator between two changes of p"] = 4,
        flips: Annotated[bool, "mirror left to right; not for digits"] = False,
        quarter_turns: Annotated[bool, "turn by 90, 180 or 270 degrees; not for digits"] = False,
        shift: Annotated[float, Ge(0), Le(1), "largest shift as a share of the side; 0 for none"] = 0.125,
        zoom: Annotated[float, Ge(0), "standard deviation of the zoom's base-2 logarithm; 0 for none"] = 0.2,
        turn_degrees: Annotated[float, Ge(0), Le(180), "largest turn either way; 0 for none"] = 10.0,
        colour: Annotated[bool, "change brightness, contrast, hue and saturation"] = True,
    ) -> None:
        _, height, width = require_image(sample_shape)
        if quarter_turns and height != width:
            raise InputError(f"quarter_turns needs square images, not {height} x {width}")
        self.p = torch.zeros((), device=device)
        self.target = target
        self.speed_images = speed_images
        self.every_passes = every_passes
        self.flips = flips
        self.quarter_turns = quarter_turns
        self.shift = shift
        self.zoom = zoom
        self.turn_degrees = turn_degrees
        self.colour = colour
        self._signs = torch.zeros((), device=device)  # of logits since the last change of p
        self._images = 0
        self._passes = 0

    def __call__(self, samples: Tensor, random: RowRandom) -> Tensor:
        """Return `(n, channels, height, width)` float32 for images in [0, 1]; values may leave it."""
        if self.flips:
            mirrored = self._chosen(random) & (random.integers(2) == 1)
            samples = torch.where(_rows(mirrored), samples.flip(3), samples)
        if self.quarter_turns:
            turns = random.integers(4) * self._chosen(random)
            for count in (1, 2, 3):
                samples = torch.where(_rows(turns == count), samples.rot90(count, (2, 3)), samples)
        if self.shift:
            chosen = self._chosen(random)
            for dim in (2, 3):
                most = int(samples.shape[dim] * self.shift + 0.5)
                samples = shift(samples, (random.integers(2 * most + 1) - most) * chosen, dim)
        if self.zoom or self.turn_degrees:
            zooms = torch.exp2(self.zoom * random.normal() * self._chosen(random))
            degrees = self.turn_degrees * (2 * random.uniform() - 1) * self._chosen(random)
            samples = zoom_and_turn(samples, zooms, torch.deg2rad(degrees))
        return self._coloured(samples, random) if self.colour else samples

    def _coloured(self, samples: Tensor, random: RowRandom) -> Tensor:
        samples = samples + _rows(0.1 * random.normal() * self._chosen(random))
        samples = change_contrast(samples, torch.exp2(0.5 * random.normal() * self._chosen(random)))
        if samples.shape[1] == 1:
            return samples
        angles = torch.pi * (2 * random.uniform() - 1) * self._chosen(random)
        return turn_hue(samples, angles, saturation=torch.exp2(random.normal() * self._chosen(random)))

    def _chosen(self, random: RowRandom) -> Tensor:
        """Return `(n,)` bool, True with probability p."""
        return random.uniform() < self.p

    def observe(self, real_logits: Tensor) -> dict[str, Tensor]:
        """Take in the signs of `(n, 1)` logits of real samples, change p if it is time, and return it."""
        self._signs += real_logits.sign().sum()
        self._images += len(real_logits)
        self._passes += 1
        if self._passes == self.every_passes:
            overfits = torch.sign(self._signs / self._images - self.target)
            self.p.add_(overfits * (self._images / self.speed_images)).clamp_(0, 1)
            self._signs.zero_()
            self._images = self._passes = 0
        return {"p": self.p.clone()}

    def state_dict(self) -> dict[str, Any]:
        """Return p and what was observed since it last changed."""
        return {"p": self.p, "signs": self._signs, "images": self._images, "passes": self._passes}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self.p.copy_(state["p"])
        self._signs.copy_(state["signs"])
        self._images, self._passes = int(state["images"]), int(state["passes"])


def _rows(values: Tensor) -> Tensor:
    """Return `(n,)` values as `(n, 1, 1, 1)`, to meet images."""
    return values[:, None, None, None]
