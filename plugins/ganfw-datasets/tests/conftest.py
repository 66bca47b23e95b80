"""Files in the formats of the collections, written where torchvision looks for them."""

import gzip
import hashlib
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets

import ganfw

pytest_plugins = ["ganfw.testing.devices"]

COUNTS = {"train": 60, "test": 20}


def idx(array: np.ndarray) -> bytes:
    """Return an array of bytes in the IDX format of LeCun: its type (8), its dimensions, its bytes."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def drawn(split: str, *shape: int, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Return images and labels of a split, every class among them as far as they go."""
    random = np.random.default_rng(["train", "test"].index(split))
    images = random.integers(0, 256, (COUNTS[split], *shape), np.uint8)
    return images, (np.arange(COUNTS[split]) % classes).astype(np.uint8)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def registry() -> ganfw.Registry:
    return ganfw.discover()


@pytest.fixture(name="drawn")
def drawn_() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    return drawn


@pytest.fixture(name="write_idx")
def write_idx_() -> Callable[..., None]:
    return write_idx


@pytest.fixture(name="write_collections", scope="session")
def write_collections_() -> Callable[[Path], None]:
    return write_collections


@pytest.fixture(name="write_images", scope="session")
def write_images_() -> Callable[[Path], None]:
    return write_images


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder with small files of every collection, those of CIFAR-10 without their hashes being known."""
    write_collections(tmp_path)
    return tmp_path


@pytest.fixture
def know_cifar(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Return what makes the hashes of a folder's CIFAR-10 those that torchvision expects.

    The hashes of the real files are exchanged for those of the small ones; the comparison itself is torchvision's.
    """

    def know(root: Path) -> None:
        folder = root / "cifar-10-batches-py"

        def entry(name: str) -> list[str]:
            return [name, hashlib.md5((folder / name).read_bytes()).hexdigest()]

        monkeypatch.setattr(datasets.CIFAR10, "train_list", [entry(f"data_batch_{index}") for index in range(1, 6)])
        monkeypatch.setattr(datasets.CIFAR10, "test_list", [entry("test_batch")])
        monkeypatch.setattr(datasets.CIFAR10, "meta", {**datasets.CIFAR10.meta, "md5": entry("batches.meta")[1]})

    return know


@pytest.fixture
def known_cifar(root: Path, know_cifar: Callable[[Path], None]) -> Path:
    """Return a folder with small files of every collection."""
    know_cifar(root)
    return root


def write_collections(root: Path) -> None:
    for name in ("FashionMNIST", "KMNIST"):
        for split, prefix in (("train", "train"), ("test", "t10k")):
            write_idx(root / name / "raw", f"{prefix}-%s-idx%d-ubyte", *drawn(split, 28, 28))
    for split in COUNTS:
        images, labels = drawn(split, 28, 28, classes=26)
        write_idx(root / "EMNIST" / "raw", f"emnist-letters-{split}-%s-idx%d-ubyte", images, labels + 1)
        images, labels = drawn(split, 28, 28, classes=47)
        write_idx(root / "EMNIST" / "raw", f"emnist-balanced-{split}-%s-idx%d-ubyte", images, labels)
    write_cifar(root / "cifar-10-batches-py")


def write_images(folder: Path) -> None:
    folder.mkdir()
    for index in range(40):
        pixels = np.random.default_rng(index).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:02d}.png")


def write_idx(folder: Path, name: str, images: np.ndarray, labels: np.ndarray, *, zipped: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for what, array in (("images", images), ("labels", labels)):
        path = folder / (name % (what, array.ndim))
        if zipped:
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(idx(array)))
        else:
            path.write_bytes(idx(array))


def write_cifar(folder: Path) -> None:
    """Write the batches of CIFAR-10: pickled dicts with `(n, 3072)` bytes, a channel after the other, and labels."""
    folder.mkdir()
    images, labels = drawn("train", 3072)
    for index in range(5):
        rows = slice(12 * index, 12 * (index + 1))
        batch = {"data": images[rows], "labels": labels[rows].tolist()}
        (folder / f"data_batch_{index + 1}").write_bytes(pickle.dumps(batch))
    images, labels = drawn("test", 3072)
    (folder / "test_batch").write_bytes(pickle.dumps({"data": images, "labels": labels.tolist()}))
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": names}))
