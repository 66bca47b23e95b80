"""MNIST (LeCun and Cortes), shipped with the package."""

import gzip
import hashlib
import os
import zlib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor

from ganfw import DataError, TensorData

SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""Hashes of the unzipped files."""
LICENCE = "CC-BY-SA-3.0"
"""The licence of the files."""


def mnist(
    *,
    split: Annotated[Literal["train", "test"], "60,000 training or 10,000 test images"] = "train",
    root: Annotated[str | None, "folder of your own copy, in torchvision's layout: MNIST/raw/ is in it"] = None,
) -> TensorData:
    """The MNIST database of handwritten digits.

    Source: LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition", 1998,
    section III-A.

    Returns:
        `(60000 or 10000, 1, 28, 28)` uint8 images and int64 labels in [0, 10).

    Raises:
        DataError: a file is missing or is not the canonical one.
    """
    prefix = "train" if split == "train" else "t10k"
    images = _read(f"{prefix}-images-idx3-ubyte", root, header_bytes=16)
    labels = _read(f"{prefix}-labels-idx1-ubyte", root, header_bytes=8)
    return TensorData(images.reshape(-1, 1, 28, 28), labels.to(torch.int64), num_classes=10, licence=LICENCE)


def _read(name: str, root: str | None, *, header_bytes: int) -> Tensor:
    """Read an IDX file, plain or gzipped, and compare it with the hash of the canonical one."""
    own = Path(os.path.expanduser(root or "")) / "MNIST" / "raw"  # noqa: PTH111 - without a home, as it is
    folder = files(__package__) / "mnist_data" if root is None else own
    plain, zipped = folder / name, folder / f"{name}.gz"
    path = plain if plain.is_file() else zipped
    try:
        content = path.read_bytes()
        if path is zipped:
            content = gzip.decompress(content)
    except FileNotFoundError:
        raise DataError(f"{plain}: no such file, zipped or not; data.root must hold MNIST/raw/{name}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from None
    if hashlib.sha256(content).hexdigest() != SHA256[name]:
        raise DataError(f"{path}: damaged, or not MNIST: its SHA-256 is not {SHA256[name]}; replace it by the original")
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=header_bytes).copy())
