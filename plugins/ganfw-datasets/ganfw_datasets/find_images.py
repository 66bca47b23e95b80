"""Which images there are in a folder, and what is in it besides."""

import os
from collections import Counter, deque
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen
from PIL import Image

from ganfw import DataError

FORMATS = {
    *("AVIF", "BMP", "DDS", "DIB", "GIF", "ICNS", "ICO", "JPEG", "JPEG2000", "MPO"),
    *("PCX", "PNG", "PPM", "PSD", "QOI", "SGI", "TGA", "TIFF", "WEBP"),
}
"""Pillow's names of the formats that it reads by itself. Others are not pictures, or are given to another program."""


@frozen
class FoundImages:
    """The images in a folder.

    Attributes:
        top: the folder.
        paths: the image files, in the order of their names.
        left_out: how many of what else there is: `{".txt": 2, "hidden": 1}`.
    """

    top: Path
    paths: tuple[Path, ...]
    left_out: Mapping[str, int]


def find_images(top: Path) -> FoundImages:
    """Find the images in a folder and in those inside it; symbolic links are followed, and each folder is read once.

    Raises:
        DataError: there is no such folder, one cannot be read, or there are no images.
    """
    if not top.is_dir():
        raise DataError(f"{top}: no such folder; name one with --set data.folder=PATH, or data.folder in the recipe")
    paths: list[Path] = []
    left_out: Counter[str] = Counter()
    read: set[str] = set()
    starts = deque([top])
    while starts:  # the folders themselves come first, then what links lead to, so that a link never hides a folder
        for folder, inner, files in os.walk(starts.popleft(), onerror=_refuse):
            real = os.path.realpath(folder)
            if real in read:
                left_out["linked folders that are read already"] += 1
                inner.clear()
                continue
            read.add(real)
            seen = sorted(name for name in inner if not name.startswith("."))
            left_out["hidden"] += len(inner) - len(seen)
            inner[:] = seen
            starts.extend(path for name in seen if (path := Path(folder, name)).is_symlink())
            for path in (Path(folder, name) for name in files):
                if why := _why_not(path):
                    left_out[why] += 1
                else:
                    paths.append(path)
    what = _counts(left_out)
    if not paths:
        raise DataError(f"{top}: no images in it" + (f", only {what}" if what else ", it is empty"))
    return FoundImages(top, tuple(sorted(paths)), +left_out)


def summarise(found: FoundImages, classes: list[str] | None) -> str:
    """Say in a line what was found, and in a second one if the folder looks like the wrong one."""
    line = f"image_folder: {len(found.paths):,} image{'s' if len(found.paths) > 1 else ''}"
    if classes is None:
        line += " without classes"
    else:
        sizes = Counter(class_of(found.top, path) for path in found.paths)
        each = ", ".join(f"{name} {sizes[name]:,}" for name in classes)
        if len(classes) > 10:
            each = f"{min(sizes.values()):,} to {max(sizes.values()):,} each"
        line += f" in {len(classes):,} class{'es' if len(classes) > 1 else ''} ({each})"
    if found.left_out:
        line += f"; left out: {_counts(found.left_out)}"
    depths = {len(path.relative_to(found.top).parts) for path in found.paths}
    if classes is not None and min(depths) > 2:
        inner = sorted({path.relative_to(found.top).parts[1] for path in found.paths})
        line += (
            f"\n  every image is in a folder inside its class's folder; if the classes are {', '.join(inner[:3])}"
            f"{', …' if len(inner) > 3 else ''}, write data.folder = '{found.top / classes[0]}'"
        )
    return line


def class_of(top: Path, path: Path) -> str:
    """Return the folder in `top` that an image is in."""
    return path.relative_to(top).parts[0]


def _why_not(path: Path) -> str:
    """Return why a file is left out, or `""`."""
    if path.name.startswith("."):
        return "hidden"
    if Image.registered_extensions().get(path.suffix.lower()) not in FORMATS:
        return path.suffix.lower() or "without a suffix"
    return "" if path.is_file() else "broken links or special files"


def _counts(left_out: Mapping[str, int]) -> str:
    ordered = sorted(left_out.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{count:,} {what}" for what, count in ordered if count)


def _refuse(error: OSError) -> None:
    raise DataError(f"{error.filename}: cannot be read: {error.strerror}") from error
