"""The manifest of a checkpoint: what it is of, and which files belong to it.

Nothing in it is believed before it is checked: types, ranges, names that stay inside the checkpoint, sizes.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import asdict, field, frozen
from attrs.validators import and_, deep_iterable, deep_mapping, ge, in_, instance_of, le, matches_re, optional

from ganfw.errors import RunError

FORMAT = 1
"""The version of the checkpoint format."""
FILE_NAME = "manifest.json"
MAX_MANIFEST_BYTES = 1 << 20
MAX_FILE_BYTES = 16 << 30
"""A checkpoint's file larger than this (16 GiB) is refused before it is read."""

_whole = and_(instance_of(int), ge(0))
_positive = and_(instance_of(int), ge(1))
_text = instance_of(str)


@frozen(kw_only=True)
class FileEntry:
    """A file of a checkpoint: its size and the SHA-256 of its content."""

    bytes: int = field(validator=[_whole, le(MAX_FILE_BYTES)])
    sha256: str = field(validator=matches_re(r"[0-9a-f]{64}"))


@frozen(kw_only=True)
class Manifest:
    """What a checkpoint is of.

    Attributes:
        format: the version of the checkpoint format.
        ganfw: the version of ganfw that saved it.
        step: steps done.
        name: the recipe's name.
        seed: the run's seed.
        sample_shape: the shape of one sample.
        num_classes: how many classes the data has, or None.
        z_dim: the length of a noise vector.
        parts: for each recipe table, which part of which package was used.
        files: every other file of the checkpoint.
    """

    format: int = field(default=FORMAT, validator=in_([FORMAT]))
    ganfw: str = field(validator=_text)
    step: int = field(validator=_whole)
    name: str = field(validator=matches_re(r"[^/\\\0.][^/\\\0]*"))
    seed: int = field(validator=_whole)
    sample_shape: tuple[int, ...] = field(validator=deep_iterable(_positive, instance_of(tuple)))
    num_classes: int | None = field(validator=optional(_positive))
    z_dim: int = field(validator=_positive)
    parts: Mapping[str, Mapping[str, str]] = field(
        validator=deep_mapping(_text, deep_mapping(_text, _text), instance_of(dict))
    )
    files: Mapping[str, FileEntry] = field(
        validator=deep_mapping(matches_re(r"\w[\w.]*"), instance_of(FileEntry), instance_of(dict))
    )

    def to_json(self) -> bytes:
        """Write the manifest as JSON."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False).encode()


def read_manifest(checkpoint: Path) -> Manifest:
    """Read and check the manifest of a checkpoint.

    Raises:
        RunError: it is missing, unreadable, of another format, or says something that no manifest can.
    """
    path = checkpoint / FILE_NAME
    content = read_bounded(path, MAX_MANIFEST_BYTES)
    try:
        values: Any = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path}: no JSON: {error}") from None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise RunError(f"{path}: no manifest of format {FORMAT}, which this version of ganfw reads")
    try:
        files = {name: FileEntry(**entry) for name, entry in values["files"].items()}
        return Manifest(**{**values, "files": files, "sample_shape": tuple(values["sample_shape"])})
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        reason = re.sub(r"\s+", " ", str(error.args[0] if error.args else error))[:200]
        raise RunError(f"{path}: damaged: {reason}") from None


def read_bounded(path: Path, limit: int) -> bytes:
    """Read an ordinary file of at most `limit` bytes.

    Raises:
        RunError: it is missing, unreadable, larger, or no ordinary file.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise RunError(f"{path}: no ordinary file")
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) > limit:
        raise RunError(f"{path}: larger than {limit} bytes")
    return content
