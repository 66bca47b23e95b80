"""Read what a run left, which may come from a stranger: bounded in size, and no value believed to be of its type."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ganfw.errors import RunError
from ganfw.files import read_bounded

MAX_TEXT = 300
"""Longer texts are cut: nothing that ganfw writes for people to read is longer."""

MAX_FILES = 100_000
"""Of a folder with more files, the others are not looked at."""

Tell = Callable[[str], None]
"""Takes a sentence about what could not be read; it goes on the page."""


def read_object(path: Path, limit: int) -> dict[str, Any]:
    """Read a JSON object of at most `limit` bytes.

    Raises:
        RunError: the file is missing, too large, no ordinary file, or holds anything else.
    """
    return parse_object(read_bounded(path, limit), str(path))


def parse_object(content: bytes, source: str) -> dict[str, Any]:
    """Parse a JSON object.

    Raises:
        RunError: it is none; the message begins with the source.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        raise RunError(f"{source}: no JSON") from None
    if not isinstance(value, dict):
        raise RunError(f"{source}: no JSON object")
    return value


def text_of(value: object) -> str:
    """Return a value as a short line of printable text; nothing for null."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else repr(value) if isinstance(value, int | float) else ""
    shown = text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"
    return "".join(character if character.isprintable() else " " for character in shown)


def number_of(value: object) -> float | None:
    """Return a number that can be drawn, of magnitude 10⁻¹⁰⁰ (less is 0) to 10¹⁰⁰; None for whatever else it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    if not math.isfinite(number) or abs(number) > 1e100:
        return None
    return number if abs(number) >= 1e-100 else 0.0


def count_of(value: object) -> int | None:
    """Return a whole number from 0 to 10¹⁵, or None for whatever else it is."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10**15:
        return None
    return value


def files_in(folder: Path) -> list[Path]:
    """Return the files of a folder by their names; none if it is missing, or a link that leads elsewhere."""
    if folder.is_symlink() or not folder.is_dir():
        return []
    try:
        found = [path for path, _ in zip(folder.iterdir(), range(MAX_FILES), strict=False)]
    except OSError:
        return []
    return sorted(path for path in found if not path.name.startswith("."))
