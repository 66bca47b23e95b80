"""Turn samples into pictures: grids as PNG files, and a preview made of characters for a terminal."""

import io
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ganfw.errors import InputError
from ganfw.files import write_atomically
from ganfw.terminal import has_colours

MIN_WIDTH = 84
"""About how wide a small image is drawn in a grid, in pixels."""
GREY = 64
"""What is between the images of a grid."""
CAPTION_HEIGHT = 18
"""How high the line of text below an image is, in pixels."""


def to_uint8(images: Tensor) -> Tensor:
    """Round images `(n, channels, height, width)` in [0, 1] to uint8 in [0, 255], as real images are stored."""
    return images.mul(255).round_().clamp_(0, 255).to(torch.uint8)


def image_grid(images: Tensor, columns: int | None = None, *, padding: int = 4, captions: Sequence[str] = ()) -> Tensor:
    """Lay images out in rows.

    Args:
        images: `(n, channels, height, width)` float32 in [0, 1], with 1 or 3 channels.
        columns: images in a row; by default, the grid is square or a little higher than wide.
        padding: pixels between images and around them.
        captions: a line of text below each image, as much of it as has room; or none.

    Returns:
        `(channels, height, width)` uint8; small images are enlarged a whole number of times, to be seen.

    Raises:
        InputError: the samples are not images, or the captions are not as many.
    """
    require_images(images)
    if captions and len(captions) != len(images):
        raise InputError(f"{len(captions)} captions of {len(images)} images: give one for each image, or none")
    channels, width = images.shape[1], images.shape[3]
    scale = max(1, round(MIN_WIDTH / width))
    cells = to_uint8(images).repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    if captions:
        strips = torch.stack([_line(text, cells.shape[3]) for text in captions])
        cells = torch.cat([cells, strips.unsqueeze(1).expand(-1, channels, -1, -1)], dim=2)
    return _laid_out(cells, min(columns or math.isqrt(len(images)), len(images)), padding)


def _laid_out(cells: Tensor, columns: int, padding: int) -> Tensor:
    """Return `(n, channels, height, width)` cells as one image, grey between and around them; a single one as it is.

    As torchvision's make_grid, whose import brings torch's compiler.
    """
    if len(cells) == 1:
        return cells[0]
    count, channels, height, width = cells.shape
    rows = math.ceil(count / columns)
    grid = cells.new_full((channels, rows * (height + padding) + padding, columns * (width + padding) + padding), GREY)
    for index, cell in enumerate(cells):
        row, column = divmod(index, columns)
        top, left = row * (height + padding) + padding, column * (width + padding) + padding
        grid[:, top : top + height, left : left + width] = cell
    return grid


def _line(text: str, width: int) -> Tensor:
    """Return a line of text in the middle of a `(CAPTION_HEIGHT, width)` uint8 strip."""
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    strip = Image.new("L", (width, CAPTION_HEIGHT), GREY)
    font = ImageFont.load_default(size=13)
    ImageDraw.Draw(strip).text((width / 2, CAPTION_HEIGHT / 2), text, fill=235, font=font, anchor="mm")
    return torch.from_numpy(np.array(strip))


def require_images(samples: Tensor) -> None:
    """Make sure that samples can be drawn.

    Raises:
        InputError: they are not `(n, 1 or 3, height, width)` images.
    """
    if samples.ndim != 4 or samples.shape[1] not in (1, 3):
        raise InputError(f"samples of shape {tuple(samples.shape[1:])} are not images; save them as .npy instead")


def read_images(path: Path, sample_shape: tuple[int, ...]) -> Tensor:
    """Read samples: the rows of a .npy file, a picture, or the pictures of a folder in the order of their names.

    Files of a folder whose names begin with a dot are left out.

    Args:
        path: the file or folder.
        sample_shape: what a sample must be; pictures are turned the way they were taken and converted to its channels:
            grey, colour, or colour and transparency. Behind what is transparent is white.

    Returns:
        `(n, *sample_shape)` float32; images in [0, 1].

    Raises:
        InputError: they cannot be read, have another shape, or values that are not finite or, for images, out of range.
    """
    try:
        files = [path]
        if path.is_dir():
            files = sorted(each for each in path.iterdir() if each.is_file() and not each.name.startswith("."))
    except OSError as error:
        raise InputError(f"{path}: cannot be read as images: {error.strerror}") from error
    samples = []
    for file in files:
        try:
            values = _read_rows(file) if file.suffix == ".npy" else _read_picture(file, sample_shape[0])
        except Exception as error:  # NumPy and each of Pillow's decoders refuse in ways of their own
            raise InputError(f"{file}: cannot be read as images: {error}") from error
        if tuple(values.shape[1:]) != sample_shape:
            raise InputError(f"{file}: holds samples of {tuple(values.shape[1:])}; {sample_shape} is needed")
        if not torch.isfinite(values).all():
            raise InputError(f"{file}: holds values that are not finite; all must be finite")
        if values.ndim == 4 and values.numel() and not (values.min() >= 0 and values.max() <= 1):
            low, high = float(values.min()), float(values.max())
            raise InputError(f"{file}: holds values from {low:.3g} to {high:.3g}; images must be in [0, 1], or uint8")
        samples.append(values)
    if not samples:
        raise InputError(f"{path}: no images in it; put some there, or name another folder")
    return torch.cat(samples)


def _read_rows(file: Path) -> Tensor:
    """Read a .npy file of uint8 or floating-point numbers: float32, bytes divided by 255."""
    import numpy as np

    rows = np.load(file, allow_pickle=False)
    if rows.dtype != np.uint8 and not np.issubdtype(rows.dtype, np.floating):
        raise ValueError(f"it holds {rows.dtype}, not uint8 or float")
    return torch.from_numpy(rows.astype(np.float32)) / (255 if rows.dtype == np.uint8 else 1)


def _read_picture(file: Path, channels: int) -> Tensor:
    """Read a picture: `(1, channels, height, width)` float32 in [0, 1]."""
    import numpy as np
    from PIL import Image, ImageOps

    with Image.open(file) as opened:
        if opened.mode[0] in "IF":  # Pillow would cut their values off at 255
            raise ValueError("it has more than 8 bits a channel; convert it to 8 bits")
        picture = ImageOps.exif_transpose(opened)
    if channels != 4 and picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    pixels = np.array(picture.convert({1: "L", 4: "RGBA"}.get(channels, "RGB")))
    return torch.from_numpy(pixels).reshape(*pixels.shape[:2], -1).permute(2, 0, 1)[None].contiguous() / 255


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


def write_animation(path: Path, frames: Tensor, fps: float) -> None:
    """Write frames that repeat for ever as a .gif, .webp or .mp4 file, atomically.

    Args:
        path: whose ending says which; an .mp4 needs `pip install 'ganfw[video]'`.
        frames: `(n, 1 or 3, height, width)` uint8.
        fps: frames a second.

    Raises:
        InputError: what an .mp4 needs is not installed.
        RunError: the system refuses.
    """
    from PIL import Image

    arrays = frames.permute(0, 2, 3, 1).numpy()
    if path.suffix == ".mp4":
        try:
            from imageio.v3 import imwrite
        except ImportError:
            raise InputError(f"{path}: an .mp4 needs an encoder: pip install 'ganfw[video]'") from None
        even = arrays[:, : arrays.shape[1] // 2 * 2, : arrays.shape[2] // 2 * 2].repeat(3 // arrays.shape[3], axis=3)
        content = imwrite("<bytes>", even, extension=".mp4", plugin="pyav", fps=fps, codec="libx264")
        write_atomically(path, content)
        return
    first, *others = [Image.fromarray(each.squeeze(2) if each.shape[2] == 1 else each) for each in arrays]
    buffer = io.BytesIO()
    first.save(buffer, path.suffix[1:], save_all=True, append_images=others, duration=1000 / fps, loop=0, lossless=True)
    write_atomically(path, buffer.getvalue())


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
