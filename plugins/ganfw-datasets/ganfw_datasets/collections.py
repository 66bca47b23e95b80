"""The well-known collections that torchvision loads, held in memory."""

import os
import pickle
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from torch import Tensor
from torchvision import datasets

from ganfw import DataError, TensorData

ROOT = "~/.cache/ganfw"

Split = Annotated[Literal["train", "test"], "the training or the test images"]
Root = Annotated[str, "folder that holds the files in torchvision's layout, or will"]
Download = Annotated[bool, "fetch files that are not there"]


def fashion_mnist(*, split: Split = "train", root: Root = ROOT, download: Download = False) -> TensorData:
    """Fashion-MNIST: articles of clothing, in the format of MNIST.

    Source: Xiao, Rasul and Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
    Algorithms", 2017.

    Returns:
        `(60000 or 10000, 1, 28, 28)` uint8 images and int64 labels in [0, 10).

    Raises:
        DataError: files are missing or damaged, or cannot be fetched.
    """
    return _grey(_load("fashion_mnist", datasets.FashionMNIST, root, download, train=split == "train"), licence="MIT")


def kmnist(*, split: Split = "train", root: Root = ROOT, download: Download = False) -> TensorData:
    """Kuzushiji-MNIST: cursive Japanese characters, in the format of MNIST.

    Source: Clanuwat et al., "Deep Learning for Classical Japanese Literature", 2018.

    Returns:
        `(60000 or 10000, 1, 28, 28)` uint8 images and int64 labels in [0, 10).

    Raises:
        DataError: files are missing or damaged, or cannot be fetched.
    """
    return _grey(_load("kmnist", datasets.KMNIST, root, download, train=split == "train"), licence="CC-BY-SA-4.0")


def emnist(
    *,
    selection: Annotated[
        Literal["balanced", "byclass", "bymerge", "digits", "letters", "mnist"], "which selection of classes"
    ] = "balanced",
    split: Split = "train",
    root: Root = ROOT,
    download: Download = False,
) -> TensorData:
    """EMNIST: handwritten letters and digits, upright.

    Source: Cohen, Afshar, Tapson and van Schaik, "EMNIST: an extension of MNIST to handwritten letters", 2017. Its
    files hold each image with rows and columns exchanged; they are put right here. The labels of `letters`, 1 to 26 in
    the files, are 0 to 25.

    Returns:
        `(size, 1, 28, 28)` uint8 images and int64 labels: 112,800 training images in 47 classes for `balanced`.

    Raises:
        DataError: files are missing or damaged, or cannot be fetched.
    """
    found = _load("emnist", datasets.EMNIST, root, download, split=selection, train=split == "train")
    shift = 1 if selection == "letters" else 0
    return _grey(found, images=found.data.transpose(1, 2), shift=shift)


def cifar10(*, split: Split = "train", root: Root = ROOT, download: Download = False) -> TensorData:
    """CIFAR-10: small colour photographs of animals and vehicles.

    Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009, chapter 3. torchvision compares
    each file with its MD5 hash before it is read.

    Returns:
        `(50000 or 10000, 3, 32, 32)` uint8 images and int64 labels in [0, 10).

    Raises:
        DataError: files are missing or damaged, or cannot be fetched.
    """
    found = _load("cifar10", datasets.CIFAR10, root, download, train=split == "train")
    images = torch.from_numpy(found.data).permute(0, 3, 1, 2).contiguous()
    return TensorData(images, torch.tensor(found.targets), num_classes=len(found.classes))


def _load(name: str, load: Callable[..., Any], root: str, download: bool, **choices: Any) -> Any:
    """Call one of torchvision's loaders, and say in a line what goes wrong."""
    folder = Path(os.path.expanduser(root))  # noqa: PTH111 - where there is no home, as it is
    try:
        return load(folder, download=download, **choices)
    except (
        AssertionError,  # torchvision's own checks of IDX files
        EOFError,
        KeyError,
        OSError,  # urllib's errors among them
        RuntimeError,
        ValueError,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
    if download:
        raise DataError(f"{name} cannot be fetched to {folder}, or is damaged there: {reason}")
    raise DataError(f"{name} is not in {folder}, or is damaged: {reason} (in a recipe: data.download = true)")


def _grey(found: Any, *, images: Tensor | None = None, shift: int = 0, licence: str | None = None) -> TensorData:
    """Return grey images with the labels `0 ... classes - 1`, which begin at `shift` in what was found."""
    pixels = found.data if images is None else images
    labels = found.targets.to(torch.int64) - shift
    return TensorData(pixels.unsqueeze(1).contiguous(), labels, num_classes=len(found.classes) - shift, licence=licence)
