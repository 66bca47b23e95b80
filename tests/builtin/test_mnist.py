"""MNIST as it ships, and a user's own copy."""

import gzip
import hashlib
import re
from importlib.resources import files
from pathlib import Path

import pytest
import torch

from ganfw import DataError, Registry

SHIPPED = files("ganfw.builtin") / "mnist_data"
MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


@pytest.fixture
def own_copy(tmp_path: Path) -> Path:
    """Return a folder with the four files in torchvision's layout, unzipped."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in MD5:
        (raw / name).write_bytes(gzip.decompress((SHIPPED / f"{name}.gz").read_bytes()))
    return tmp_path


@pytest.mark.parametrize("name", MD5)
def test_shipped_files_are_the_canonical_ones(name: str) -> None:
    content = gzip.decompress((SHIPPED / f"{name}.gz").read_bytes())

    assert hashlib.md5(content).hexdigest() == MD5[name]


@pytest.mark.parametrize(("split", "size"), [("train", 60_000), ("test", 10_000)])
def test_mnist_keeps_uint8(registry: Registry, split: str, size: int) -> None:
    data = registry.load("data", "mnist")(split=split)

    assert (data.samples.shape, data.samples.dtype) == ((size, 1, 28, 28), torch.uint8)
    assert (data.labels.shape, data.labels.dtype) == ((size,), torch.int64)
    assert (data.num_classes, data.sample_shape, len(data)) == (10, (1, 28, 28), size)
    assert (int(data.samples.min()), int(data.samples.max())) == (0, 255)
    assert data.labels.unique().tolist() == list(range(10))


def test_first_training_digits_are_those_everyone_knows(registry: Registry) -> None:
    assert registry.load("data", "mnist")().labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]


def test_own_copy_in_the_layout_of_torchvision_is_the_same(registry: Registry, own_copy: Path) -> None:
    load = registry.load("data", "mnist")

    data = load(split="test", root=str(own_copy))

    assert torch.equal(data.samples, load(split="test").samples)
    assert torch.equal(data.labels, load(split="test").labels)


def test_own_copy_may_be_zipped(registry: Registry, own_copy: Path) -> None:
    for path in (own_copy / "MNIST" / "raw").iterdir():
        path.with_name(f"{path.name}.gz").write_bytes((SHIPPED / f"{path.name}.gz").read_bytes())
        path.unlink()

    assert len(registry.load("data", "mnist")(split="test", root=str(own_copy))) == 10_000


def test_own_copy_is_what_torchvision_reads(registry: Registry, own_copy: Path) -> None:
    datasets = pytest.importorskip("torchvision.datasets")

    theirs = datasets.MNIST(str(own_copy), train=False, download=False)
    ours = registry.load("data", "mnist")(split="test", root=str(own_copy))

    assert torch.equal(ours.samples[:, 0], theirs.data)
    assert torch.equal(ours.labels, theirs.targets)


def test_missing_file_is_reported(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        registry.load("data", "mnist")(root=str(tmp_path))
    name = "train-images-idx3-ubyte"
    path = tmp_path / "MNIST" / "raw" / name
    assert str(caught.value) == f"{path}: no such file, zipped or not; data.root must hold MNIST/raw/{name}"


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_damaged_file_is_reported(registry: Registry, own_copy: Path, damage: str) -> None:
    path = own_copy / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[5_000_000] ^= 1
    path.write_bytes({"flip": content, "cut": content[:-1], "empty": b""}[damage])

    with pytest.raises(DataError) as caught:
        registry.load("data", "mnist")(split="test", root=str(own_copy))
    digest = "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
    assert (
        str(caught.value) == f"{path}: damaged, or not MNIST: its SHA-256 is not {digest}; replace it by the original"
    )


@pytest.mark.parametrize("content", [b"no gzip file", gzip.compress(b"x" * 1000)[:-10]], ids=["no_gzip", "cut_short"])
def test_damaged_zip_is_reported(registry: Registry, own_copy: Path, content: bytes) -> None:
    path = own_copy / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    path.unlink()
    path.with_name(f"{path.name}.gz").write_bytes(content)

    with pytest.raises(DataError, match=rf"^{re.escape(str(path))}\.gz: cannot be read: "):
        registry.load("data", "mnist")(split="test", root=str(own_copy))
