"""The collections, read from small files in their real formats, and fetched from a server on this machine."""

import gzip
import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import datasets

from ganfw import DataError
from ganfw_datasets.collections import cifar10, emnist, fashion_mnist, kmnist

Drawn = Callable[..., tuple[np.ndarray, np.ndarray]]
FASHION = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
LOADERS = {"fashion_mnist": fashion_mnist, "kmnist": kmnist, "emnist": emnist, "cifar10": cifar10}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn: Drawn, write_idx: Callable[..., None]
) -> Iterator[Path]:
    """Serve a folder as the mirror of FashionMNIST, with small files of the hashes that are expected."""
    folder = tmp_path / "served"
    for split, prefix in (("train", "train"), ("test", "t10k")):
        write_idx(folder, f"{prefix}-%s-idx%d-ubyte", *drawn(split, 28, 28), zipped=True)
    files = [f"{name}.gz" for name in FASHION]
    hashes = [(name, hashlib.md5((folder / name).read_bytes()).hexdigest()) for name in files]
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        monkeypatch.setattr(datasets.FashionMNIST, "mirrors", [f"http://127.0.0.1:{http.server_port}/"])
        monkeypatch.setattr(datasets.FashionMNIST, "resources", hashes)
        yield folder
        http.shutdown()
        thread.join()


@pytest.mark.parametrize("load", [fashion_mnist, kmnist])
@pytest.mark.parametrize("split", ["train", "test"])
def test_grey_images_and_labels_are_those_in_the_files(load: type, split: str, root: Path, drawn: Drawn) -> None:
    data = load(split=split, root=str(root))
    images, labels = drawn(split, 28, 28)

    assert (data.samples.dtype, data.labels.dtype, data.num_classes) == (torch.uint8, torch.int64, 10)
    assert np.array_equal(data.samples.numpy(), images[:, None])
    assert np.array_equal(data.labels.numpy(), labels)


def test_letters_are_upright_and_their_labels_begin_at_0(root: Path, drawn: Drawn) -> None:
    data = emnist(selection="letters", split="test", root=str(root))
    images, labels = drawn("test", 28, 28, classes=26)

    assert data.num_classes == 26
    assert np.array_equal(data.samples.numpy(), images.swapaxes(1, 2)[:, None])
    assert data.labels is not None
    assert np.array_equal(data.labels.numpy(), labels)


def test_balanced_emnist_has_47_classes(root: Path) -> None:
    data = emnist(root=str(root))

    assert (data.num_classes, len(data)) == (47, 60)
    assert data.labels is not None
    assert data.labels.unique().tolist() == list(range(47))


@pytest.mark.parametrize("split", ["train", "test"])
def test_colour_images_and_labels_are_those_in_the_files(split: str, known_cifar: Path, drawn: Drawn) -> None:
    data = cifar10(split=split, root=str(known_cifar))
    images, labels = drawn(split, 3072)

    assert (data.samples.dtype, data.num_classes) == (torch.uint8, 10)
    assert np.array_equal(data.samples.numpy(), images.reshape(-1, 3, 32, 32))
    assert data.labels is not None
    assert np.array_equal(data.labels.numpy(), labels)


@pytest.mark.parametrize("name", LOADERS)
def test_missing_files_are_reported(name: str, tmp_path: Path) -> None:
    found = "Dataset not found or corrupted" if name == "cifar10" else "Dataset not found"

    with pytest.raises(DataError) as caught:
        LOADERS[name](root=str(tmp_path))
    assert str(caught.value) == (
        f"{name} is not in {tmp_path}, or is damaged: {found}. You can use download=True to download it "
        "(in a recipe: data.download = true)"
    )


def test_files_of_cifar10_with_other_hashes_are_not_read(root: Path) -> None:
    with pytest.raises(DataError) as caught:
        cifar10(root=str(root))
    assert str(caught.value) == (
        f"cifar10 is not in {root}, or is damaged: Dataset not found or corrupted. You can use download=True to "
        "download it (in a recipe: data.download = true)"
    )


@pytest.mark.parametrize("content", [b"", b"\0\0\x08\x03\0\0\0\x3c", b"no IDX file"])
def test_a_damaged_file_is_reported(content: bytes, root: Path) -> None:
    (root / "KMNIST" / "raw" / "train-images-idx3-ubyte").write_bytes(content)

    with pytest.raises(DataError, match=rf"^kmnist is not in {root}, or is damaged: .+data.download = true\)$"):
        kmnist(root=str(root))


def test_files_are_fetched_once(server: Path, tmp_path: Path, drawn: Drawn) -> None:
    first = fashion_mnist(root=str(tmp_path / "root"), download=True)
    for path in server.iterdir():
        path.unlink()
    again = fashion_mnist(root=str(tmp_path / "root"), download=True)

    assert np.array_equal(first.samples.numpy(), drawn("train", 28, 28)[0][:, None])
    assert first.sha256() == again.sha256()
    assert sorted(path.name for path in (tmp_path / "root" / "FashionMNIST" / "raw").glob("*ubyte")) == sorted(FASHION)


def test_files_that_arrive_damaged_are_reported(server: Path, tmp_path: Path) -> None:
    (server / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"other"))

    with pytest.raises(DataError) as caught:
        fashion_mnist(root=str(tmp_path), download=True)
    assert str(caught.value) == (
        f"fashion_mnist cannot be fetched to {tmp_path}, or is damaged there: Error downloading "
        f"train-images-idx3-ubyte.gz: Tried {datasets.FashionMNIST.mirrors[0]}, got: File not found or corrupted."
    )


def test_a_network_that_is_not_there_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", [address])

    with pytest.raises(DataError) as caught:
        fashion_mnist(root=str(tmp_path), download=True)
    assert str(caught.value) == (
        f"fashion_mnist cannot be fetched to {tmp_path}, or is damaged there: Error downloading "
        f"train-images-idx3-ubyte.gz: Tried {address}, got: <urlopen error [Errno 111] Connection refused>"
    )
