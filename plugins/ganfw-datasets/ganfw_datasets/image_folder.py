"""Your own images, from a folder."""

import math
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Le
from attrs import frozen
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from ganfw import DataError, TensorData
from ganfw_datasets.find_images import FoundImages, class_of, find_images, summarise
from ganfw_datasets.frame import Frame

Side = Annotated[int, Ge(1), Le(8192)]
MAX_SHOWN = 20
"""An error lists this many unreadable images at most."""


def image_folder(
    *,
    folder: Annotated[str, "where the images are, in it or in folders inside it"] = "images",
    size: Annotated[Side | tuple[Side, Side], "pixels that images are brought to: a side, or [height, width]"] = 64,
    fit: Annotated[
        Literal["crop", "pad"], "images of another shape are cropped, or padded with the background"
    ] = "crop",
    channels: Annotated[Literal[1, 3, 4], "grey, colour, or colour and transparency"] = 3,
    background: Annotated[str, "colour behind what is transparent and around what is padded"] = "white",
    labels: Annotated[Literal["auto", "folders", "none"], "whether folders inside are classes"] = "auto",
    memory_limit_mb: Annotated[int, Ge(0), "load images as they are needed beyond this many megabytes"] = 2000,
) -> "TensorData | FolderImages":
    """The images of a folder and of those inside it, in the order of their names.

    Files of all common formats are read, and symbolic links are followed. Names that begin with a dot and files of
    other kinds are left out; a line on stderr counts them. The folders directly inside are the classes, in the order of
    their names, if there are images in no other place; `labels = "folders"` insists on that, and `"none"` gives no
    labels.

    Returns:
        `(count, channels, height, width)` uint8 images in memory; or, where they would take more than the limit, a data
        set that reads each image when it is served.

    Raises:
        DataError: there is no such folder or colour, there are no images, or some cannot be read.
    """
    height, width = (size, size) if isinstance(size, int) else size
    frame = Frame(height, width, channels, fit, background)
    found = find_images(Path(os.path.expanduser(folder)))  # noqa: PTH111 - where there is no home, as it is
    classes = _classes(found, labels)
    if _is_main():
        print(summarise(found, classes), file=sys.stderr)
    images = FolderImages(found.top, found.paths, frame, classes)
    if math.prod((len(images), channels, height, width)) > memory_limit_mb * 1_000_000:
        return images
    numbers = None if classes is None else torch.tensor([images.label(index) for index in range(len(images))])
    return TensorData(images.all_pixels(), numbers, None if classes is None else len(classes))


@frozen(eq=False)
class FolderImages(Dataset[Tensor | tuple[Tensor, int]]):
    """Images that are read when they are served.

    Attributes:
        top: the folder.
        paths: the image files in it.
        frame: what they are brought to.
        classes: names of the folders that are the classes, in order, or None.
    """

    top: Path
    paths: tuple[Path, ...]
    frame: Frame
    classes: list[str] | None

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor | tuple[Tensor, int]:
        """Return an image, `(channels, height, width)` float32 in [0, 1], with its class if there are classes.

        Raises:
            DataError: it cannot be read.
        """
        image = self.frame.read(self.paths[index]).float() / 255
        return image if self.classes is None else (image, self.label(index))

    def fingerprint(self) -> str:
        """Return the names, sizes and times of the files, and what they are brought to: it differs for other images."""
        files = [(path.relative_to(self.top).as_posix(), path.stat()) for path in self.paths]
        return f"{self.frame} {[(name, found.st_size, found.st_mtime_ns) for name, found in files]} {self.classes}"

    def label(self, index: int) -> int:
        """Return the class of an image."""
        assert self.classes is not None
        return self.classes.index(class_of(self.top, self.paths[index]))

    def all_pixels(self) -> Tensor:
        """Read all images, several at a time, with a progress bar in a terminal.

        Returns:
            `(count, channels, height, width)` uint8.

        Raises:
            DataError: some cannot be read; the message lists them.
        """
        frame = self.frame
        pixels = torch.empty(len(self), frame.channels, frame.height, frame.width, dtype=torch.uint8)

        def read(index: int) -> str:
            try:
                pixels[index] = frame.read(self.paths[index])
            except DataError as error:
                return str(error)
            return ""

        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:  # Pillow decodes and scales outside Python's lock
            results = pool.map(read, range(len(self)))
            hidden = None if _is_main() else True  # None: where stderr is not a terminal
            bar = tqdm(results, "reading images", len(self), leave=False, unit="image", disable=hidden)
            refused = [message for message in bar if message]
        if refused:
            more = f"\n  … and {len(refused) - MAX_SHOWN:,} more" if len(refused) > MAX_SHOWN else ""
            raise DataError(
                f"{len(refused):,} of {len(self):,} images in {self.top} cannot be used; repair or remove them:"
                + "".join(f"\n  {message}" for message in refused[:MAX_SHOWN])
                + more
            )
        return pixels


def _classes(found: FoundImages, labels: str) -> list[str] | None:
    if labels == "none":
        return None
    outside = [path for path in found.paths if path.parent == found.top]
    if not outside:
        return sorted({class_of(found.top, path) for path in found.paths})
    if labels == "folders":
        raise DataError(f"{outside[0]}: belongs to no class; with data.labels = 'folders' images are in folders")
    return None


def _is_main() -> bool:
    """Whether this process speaks: under torchrun, only the first one does."""
    return os.environ.get("RANK", "0") == "0"
