"""Images of one's own, from a folder."""

import math
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from annotated_types import Ge
from attrs import frozen
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import Dataset

from ganfw import DataError, TensorData

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
DEEP_MODES = ("F", "I", "I;16", "I;16B", "I;16L", "I;16N")
"""Pillow's names for pixels of more than 8 bits, which it would cut off and not scale."""


def image_folder(
    *,
    folder: Annotated[str, "where the images are, in it or in folders inside it"] = "images",
    size: Annotated[int, Ge(1), "height and width in pixels that images are brought to"] = 64,
    channels: Annotated[Literal[1, 3], "grey or colour"] = 3,
    labels: Annotated[Literal["auto", "folders", "none"], "whether folders inside are classes"] = "auto",
    memory_limit_mb: Annotated[int, Ge(0), "load images as they are needed beyond this many megabytes"] = 2000,
) -> "TensorData | FolderImages":
    """The images of a folder and of those inside it, in the order of their names.

    Each is cropped to its central square and scaled; where it is transparent it is white. Names that begin with a dot
    and files of other kinds are passed over. The folders directly inside are the classes, in the order of their names,
    if there are images in no other place; `labels = "folders"` insists on that, and `"none"` gives no labels.

    Returns:
        `(count, channels, size, size)` uint8 images in memory; or, where they would take more than the limit, a data
        set that reads each image when it is served.

    Raises:
        DataError: there is no such folder, there are no images in it, or one cannot be read.
    """
    top = Path(folder).expanduser()
    paths = _find(top)
    classes = _classes(top, paths, labels)
    found = FolderImages(top, tuple(paths), size, channels, classes)
    if math.prod((len(paths), channels, size, size)) > memory_limit_mb * 1_000_000:
        return found
    numbers = None if classes is None else torch.tensor([found.label(index) for index in range(len(found))])
    images = torch.stack([found.pixels(index) for index in range(len(found))])
    return TensorData(images, numbers, None if classes is None else len(classes))


@frozen(eq=False)
class FolderImages(Dataset[Tensor | tuple[Tensor, int]]):
    """Images that are read when they are served.

    Attributes:
        top: the folder.
        paths: the image files in it.
        size: height and width.
        channels: 1 or 3.
        classes: names of the folders that are the classes, in order, or None.
    """

    top: Path
    paths: tuple[Path, ...]
    size: int
    channels: int
    classes: list[str] | None

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor | tuple[Tensor, int]:
        """Return an image, `(channels, size, size)` float32 in [0, 1], with its class if there are classes."""
        image = self.pixels(index).float() / 255
        return image if self.classes is None else (image, self.label(index))

    def pixels(self, index: int) -> Tensor:
        """Return an image, `(channels, size, size)` uint8.

        Raises:
            DataError: it cannot be read.
        """
        path = self.paths[index]
        try:
            with Image.open(path) as opened:
                if opened.mode in DEEP_MODES:
                    raise DataError(f"{path}: has more than 8 bits a channel; convert it to 8 bits")
                image = _opaque(ImageOps.exif_transpose(opened)).convert("L" if self.channels == 1 else "RGB")
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise DataError(f"{path}: cannot be read as an image: {error}") from None
        square = _central_square(image).resize((self.size, self.size), Image.Resampling.LANCZOS)
        pixels = torch.from_numpy(np.array(square, np.uint8))
        return pixels.reshape(self.size, self.size, self.channels).permute(2, 0, 1).contiguous()

    def label(self, index: int) -> int:
        """Return the class of an image."""
        assert self.classes is not None
        return self.classes.index(self.paths[index].relative_to(self.top).parts[0])


def _find(top: Path) -> list[Path]:
    if not top.is_dir():
        raise DataError(f"{top}: no such folder (in a recipe: data.folder)")
    paths = [
        path
        for path in sorted(top.rglob("*"))
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(top).parts)
    ]
    if not paths:
        raise DataError(f"{top}: no images in it; looked for files that end in {', '.join(SUFFIXES)}")
    return paths


def _classes(top: Path, paths: list[Path], labels: str) -> list[str] | None:
    if labels == "none":
        return None
    outside = [path for path in paths if path.parent == top]
    if outside:
        if labels == "folders":
            raise DataError(f"{outside[0]}: belongs to no class; with data.labels = 'folders' images are in folders")
        return None
    return sorted({path.relative_to(top).parts[0] for path in paths})


def _opaque(image: Image.Image) -> Image.Image:
    """Put an image that is transparent in places on white."""
    if not image.has_transparency_data:
        return image
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)


def _central_square(image: Image.Image) -> Image.Image:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))
