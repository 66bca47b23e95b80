"""Turn samples into pictures: grids as PNG files, and a preview made of characters for a terminal."""

import io
import math
from pathlib import Path

import torch
from torch import Tensor

from ganfw.errors import InputError
from ganfw.files import write_atomically
from ganfw.terminal import has_colours

MIN_WIDTH = 84
"""About how wide a small image is drawn in a grid, in pixels."""


def to_uint8(images: Tensor) -> Tensor:
    """Round images in [0, 1] to uint8 in [0, 255], as real images are stored."""
    return images.mul(255).round_().clamp_(0, 255).to(torch.uint8)


def image_grid(images: Tensor, columns: int | None = None, *, padding: int = 4) -> Tensor:
    """Lay images out in rows.

    Args:
        images: `(n, channels, height, width)` float32 in [0, 1], with 1 or 3 channels.
        columns: images in a row; by default, the grid is square or a little higher than wide.
        padding: pixels between images and around them.

    Returns:
        `(channels, height, width)` uint8; small images are enlarged a whole number of times, to be seen.

    Raises:
        InputError: the samples are no images.
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise InputError(f"samples of shape {tuple(images.shape[1:])} are no images; save them as .npy instead")
    from torchvision.utils import make_grid

    channels, width = images.shape[1], images.shape[3]
    scale = max(1, round(MIN_WIDTH / width))
    enlarged = to_uint8(images).repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    grid: Tensor = make_grid(enlarged, nrow=columns or math.isqrt(len(images)), padding=padding, pad_value=64)
    return grid[:channels]


def read_images(path: Path, sample_shape: tuple[int, ...]) -> Tensor:
    """Read samples: the rows of a .npy file, a picture, or the pictures of a folder in the order of their names.

    Args:
        path: the file or folder.
        sample_shape: what a sample must be; pictures are converted to its channels, grey or colour.

    Returns:
        `(n, *sample_shape)` float32; images in [0, 1].

    Raises:
        InputError: they cannot be read, or have another shape.
    """
    import numpy as np
    from PIL import Image

    def values_of(file: Path) -> Tensor:
        if file.suffix == ".npy":
            return torch.from_numpy(np.load(file, allow_pickle=False))
        with Image.open(file) as picture:
            grey = sample_shape[0] == 1
            pixels = torch.from_numpy(np.array(picture.convert("L" if grey else "RGB")))
        return (pixels[None, None] if grey else pixels.permute(2, 0, 1)[None]).contiguous()

    files = sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else [path]
    try:
        samples = [values_of(file) for file in files]
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as images: {error}") from error
    for file, values in zip(files, samples, strict=True):
        if tuple(values.shape[1:]) != sample_shape:
            raise InputError(f"{file}: holds samples of {tuple(values.shape[1:])}; {sample_shape} is needed")
    if not samples:
        raise InputError(f"{path}: there are no images in it")
    whole = torch.cat(samples)
    return whole / 255 if whole.dtype == torch.uint8 else whole.float()


def write_png(path: Path, picture: Tensor) -> None:
    """Write a `(1 or 3, height, width)` uint8 picture as a PNG file, atomically.

    Raises:
        RunError: the system refuses.
    """
    write_atomically(path, to_png(picture))


def to_png(picture: Tensor) -> bytes:
    """Return a `(1 or 3, height, width)` uint8 picture as the content of a PNG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture.permute(1, 2, 0).squeeze(2).numpy()).save(buffer, "PNG")
    return buffer.getvalue()


def terminal_preview(images: Tensor, *, columns: int) -> str:
    """Draw a row of images with half-block characters and the 24 greys of a 256-colour terminal.

    Args:
        images: `(n, channels, height, width)` float32 in [0, 1]; as many as fit are drawn.
        columns: characters in a line of the terminal.

    Returns:
        Lines of text; each character shows two pixels, one above the other, at half the images' resolution. `""` where
        not even one image fits, or the environment wants no colours (`NO_COLOR`, `TERM=dumb`).
    """
    small = torch.nn.functional.avg_pool2d(images.mean(1, keepdim=True), 2)[:, 0]
    count = min(len(small), columns // (small.shape[2] + 1))
    if count < 1 or not has_colours():
        return ""
    strip = torch.cat([torch.nn.functional.pad(image, (0, 1)) for image in small[:count]], dim=1)
    greys = torch.nn.functional.pad(strip, (0, 0, 0, len(strip) % 2)).mul(23).round().int() + 232
    pairs = torch.stack([greys[::2], greys[1::2]], 2).tolist()
    return "\n".join("".join(f"\x1b[38;5;{top};48;5;{bottom}m▀" for top, bottom in line) + "\x1b[0m" for line in pairs)
