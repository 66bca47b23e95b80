"""Read what a run left, which may come from a stranger: bounded in size, and no value believed to be of its type."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ganfw.errors import RunError
from ganfw.files import read_bounded
from ganfw.terminal import blank

MAX_OBJECT_BYTES = 16 << 20
"""A JSON file larger than this (16 MiB, thousands of resumes) is refused."""

MAX_TEXT = 1000
"""Longer texts are cut: an error with two long paths and what to do about it is shorter."""

MAX_FILES = 100_000
"""Of a folder with more files, the others are not looked at."""

MOST = 100
"""Of more named values, metrics, thresholds or parts than this, the others are left out."""


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        RunError: the file is missing, too large, not an ordinary file, or holds anything else.
    """
    return parse_object(read_bounded(path, MAX_OBJECT_BYTES), str(path))


def parse_object(content: bytes, source: str) -> dict[str, Any]:
    """Parse a JSON object.

    Raises:
        RunError: it is not one; the error begins with the source.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        raise RunError(f"{source}: not JSON") from None
    if not isinstance(value, dict):
        raise RunError(f"{source}: not a JSON object")
    return value


def described(values: Mapping[str, Any], paths: Iterable[str]) -> dict[str, str]:
    """Return some values of a JSON object as texts, without what is missing.

    Args:
        values: the object.
        paths: for each value its key, or two keys with a dot between them.

    Returns:
        The texts by what the page calls them: `"embedding name"` for `"embedding.name"`.
    """
    found = {}
    for path in paths:
        table, _, key = path.rpartition(".")
        inner = values.get(table) if table else values
        if isinstance(inner, Mapping) and (text := text_of(inner.get(key))):
            found[re.sub(r"[._]", " ", path)] = text
    return found


def text_of(value: object) -> str:
    """Return a value as a short text; nothing for null."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = value if isinstance(value, str) else repr(value) if isinstance(value, int | float) else ""
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"


def printable(value: Any) -> Any:
    """Return a text as `ganfw.terminal.blank` does; anything else, markup too, as it is."""
    return blank(value) if type(value) is str else value


def number_of(value: object) -> float | None:
    """Return a number that can be drawn, of magnitude 10⁻¹⁰⁰ (less is 0) to 10¹⁰⁰; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1e100:
        return None
    return float(value) if abs(value) >= 1e-100 else 0.0


def count_of(value: object) -> int | None:
    """Return a whole number from 0 to 10¹⁵, or None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 10**15 else None


def files_in(folder: Path) -> list[Path]:
    """Return the files of a folder by their names; none if it is missing, or a link that leads elsewhere."""
    if folder.is_symlink() or not folder.is_dir():
        return []
    try:
        found = [path for path, _ in zip(folder.iterdir(), range(MAX_FILES), strict=False)]
    except OSError:
        return []
    return sorted(path for path in found if not path.name.startswith("."))
