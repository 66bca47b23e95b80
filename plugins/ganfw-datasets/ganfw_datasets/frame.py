"""Images of all sizes and modes brought to one."""

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from attrs import field, frozen
from PIL import Image, ImageColor, ImageOps, UnidentifiedImageError
from torch import Tensor

from ganfw import DataError
from ganfw_datasets.find_images import FORMATS

DEEP_MODES = ("F", "I", "I;16", "I;16B", "I;16L", "I;16N")
"""Pillow's names for pixels of more than 8 bits, which it would cut off and not scale."""

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Pillow's names for 8-bit pixels of so many channels."""


def _check_colour(_frame: object, _attribute: object, colour: str) -> None:
    try:
        ImageColor.getrgb(colour)
    except ValueError:
        raise DataError(
            f"data.background: '{colour}' is not a colour; write a name such as 'white', or '#rrggbb'"
        ) from None


@frozen
class Frame:
    """What every image is brought to.

    Attributes:
        height: in pixels.
        width: in pixels.
        channels: 1, 3 or 4.
        fit: whether what is beyond the frame's shape is cropped, or what is missing padded.
        background: the colour behind what is transparent and around what is padded.

    Raises:
        DataError: there is no such colour.
    """

    height: int
    width: int
    channels: int
    fit: Literal["crop", "pad"]
    background: str = field(validator=_check_colour)

    def read(self, path: Path) -> Tensor:
        """Read an image, turned the way it was taken: `(channels, height, width)` uint8.

        Raises:
            DataError: it cannot be read.
        """
        try:
            with Image.open(path, formats=[name for name in FORMATS if name in Image.OPEN]) as opened:
                mode = opened.mode
                image = self._flatten(ImageOps.exif_transpose(opened))
        except UnidentifiedImageError:
            raise DataError(f"{path}: is not an image, although its name says so") from None
        except Exception as error:  # each of Pillow's decoders fails in its own way
            raise DataError(f"{path}: cannot be read as an image: {str(error) or type(error).__name__}") from None
        if mode in DEEP_MODES:
            raise DataError(f"{path}: has more than 8 bits a channel; convert it to 8 bits")
        pixels = np.array(self._padded(image) if self.fit == "pad" else self._cropped(image), np.uint8)
        return torch.from_numpy(pixels.reshape(self.height, self.width, self.channels)).permute(2, 0, 1).contiguous()

    def _flatten(self, image: Image.Image) -> Image.Image:
        """Bring an image to the channels of the frame; transparency is kept where there is a channel for it."""
        if self.channels < 4 and image.has_transparency_data:
            layer = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", layer.size, self.background), layer)
        return image.convert(MODES[self.channels])

    def _cropped(self, image: Image.Image) -> Image.Image:
        """Scale the largest central rectangle of the frame's shape."""
        width = min(image.width, max(1, round(image.height * self.width / self.height)))
        height = min(image.height, max(1, round(image.width * self.height / self.width)))
        left, top = (image.width - width) // 2, (image.height - height) // 2
        central = image.crop((left, top, left + width, top + height))
        return central.resize((self.width, self.height), Image.Resampling.LANCZOS)

    def _padded(self, image: Image.Image) -> Image.Image:
        """Scale the whole image into the frame, in its middle."""
        ratio = min(self.width / image.width, self.height / image.height)
        size = (max(1, round(image.width * ratio)), max(1, round(image.height * ratio)))
        canvas = Image.new(image.mode, (self.width, self.height), ImageColor.getcolor(self.background, image.mode))
        scaled = image.resize(size, Image.Resampling.LANCZOS)
        canvas.paste(scaled, ((self.width - size[0]) // 2, (self.height - size[1]) // 2))
        return canvas
