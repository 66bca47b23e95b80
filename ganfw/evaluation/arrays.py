"""Arrays in an .npz file, read without pickle and within bounds, because it may come from a stranger."""

import io
import zipfile
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_ARRAY_BYTES = 2 << 30
"""An array larger than this (2 GiB) is refused before it is read."""


def read_arrays(file: IO[bytes], kinds: Mapping[str, str]) -> "dict[str, NDArray[Any]]":
    """Return some arrays of a file by name; others are not read.

    Args:
        file: an .npz file.
        kinds: the arrays to read, those that are there, and the kind of the dtype that each must have: `"f"`, `"U"`.

    Returns:
        Arrays of any shape, of a dtype of their kind.

    Raises:
        ValueError: an array is larger than 2 GiB, or of another kind. zipfile and NumPy raise other errors too.
    """
    arrays = {}
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            name = entry.filename.removesuffix(".npy")
            if name not in kinds:
                continue
            if entry.file_size > MAX_ARRAY_BYTES:
                raise ValueError(f"{name} is larger than {MAX_ARRAY_BYTES} bytes")
            array = np.lib.format.read_array(io.BytesIO(archive.read(entry)), allow_pickle=False)
            if array.dtype.kind != kinds[name]:
                raise ValueError(f"{name} is of type {array.dtype}")
            arrays[name] = array
    return arrays


def write_arrays(arrays: "Mapping[str, NDArray[Any]]") -> bytes:
    """Write an .npz file of arrays of any shape and dtype: the same bytes for the same arrays, without a date."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)
    return content.getvalue()
