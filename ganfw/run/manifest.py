"""The manifest of a checkpoint: what it is of, and which files belong to it.

Nothing in it is believed before it is checked: types, ranges, names that stay inside the checkpoint, sizes.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import Attribute, asdict, field, frozen
from attrs.validators import and_, deep_iterable, deep_mapping, in_, instance_of, le, matches_re, max_len, optional

from ganfw.errors import RecipeError, RunError
from ganfw.files import read_bounded
from ganfw.plugins.signature import INTEGERS, show
from ganfw.recipe.document import check_name
from ganfw.recipe.origins import excerpt

FORMAT = 2
"""The version of the checkpoint format."""
FILE_NAME = "manifest.json"
MAX_MANIFEST_BYTES = 1 << 20
MAX_FILE_BYTES = 16 << 30
"""A checkpoint's file larger than this (16 GiB) is refused before it is read."""
MAX_DIMENSIONS = 32
"""A sample of more dimensions is refused; torch itself stops at 64."""


def _integer(least: int) -> Callable[[Any, "Attribute[int]", object], None]:
    def check(_owner: Any, attribute: "Attribute[int]", value: object) -> None:
        if type(value) is not int or value < least or value not in INTEGERS:
            raise ValueError(f"{attribute.name} must be an integer >= {least}, not {show(value)}")

    return check


_whole = _integer(0)
_positive = _integer(1)
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
        z_dim: the length of a noise vector, or None without noise.
        entry_shapes: of each further entry of the data, the shape of one.
        data_sha256: the hash of the data, or of what it says of itself; None where it says nothing.
        data_licence: the licence of the data, or None where nothing is said of it.
        device: the type of device that it was saved on.
        parts: for each recipe table, which part of which package was used.
        files: every other file of the checkpoint.
    """

    format: int = field(default=FORMAT, validator=in_([FORMAT]))
    ganfw: str = field(validator=_text)
    step: int = field(validator=_whole)
    name: str = field(validator=[_text, check_name])
    seed: int = field(validator=_whole)
    sample_shape: tuple[int, ...] = field(
        validator=deep_iterable(_positive, and_(instance_of(tuple), max_len(MAX_DIMENSIONS)))
    )
    num_classes: int | None = field(validator=optional(_positive))
    z_dim: int | None = field(validator=optional(_positive))
    entry_shapes: Mapping[str, tuple[int, ...]] = field(
        factory=dict, validator=deep_mapping(_text, deep_iterable(_positive), instance_of(dict))
    )
    data_sha256: str | None = field(validator=optional(matches_re(r"[0-9a-f]{64}")))
    data_licence: str | None = field(default=None, validator=optional(_text))
    device: str = field(validator=_text)
    parts: Mapping[str, Mapping[str, str]] = field(
        validator=deep_mapping(_text, deep_mapping(_text, _text), instance_of(dict))
    )
    files: Mapping[str, FileEntry] = field(
        validator=deep_mapping(matches_re(r"\w[\w.-]*"), instance_of(FileEntry), instance_of(dict))
    )

    def to_json(self) -> bytes:
        """Write the manifest as JSON, with a hash of itself: no other file vouches for this one."""
        values = asdict(self)
        return json.dumps({**values, "sha256": _hash(values)}, indent=2, ensure_ascii=False).encode()


def _hash(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


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
        raise RunError(f"{path}: not JSON: {error}") from None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise RunError(f"{path}: not a manifest of format {FORMAT}, which this version of ganfw reads")
    try:
        if values.pop("sha256", None) != _hash(values):
            raise ValueError("it is not what was written")
        files = {name: FileEntry(**entry) for name, entry in values["files"].items()}
        return Manifest(**{**values, "files": files, "sample_shape": tuple(values["sample_shape"])})
    except (TypeError, ValueError, LookupError, AttributeError, RecursionError, RecipeError) as error:
        raise RunError(f"{path}: damaged: {excerpt(str(error.args[0] if error.args else error))}") from None
