"""The contract of every kind of part, as ganfw checks it, on small files."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from ganfw.testing import Check, checks_of

FILES = tempfile.TemporaryDirectory()
ROOT = Path(FILES.name)
NAMES = ("fashion_mnist", "kmnist", "emnist", "cifar10")
CHECKS = checks_of(
    "ganfw-datasets",
    parameters={
        **{f"data {name}": {"root": str(ROOT)} for name in NAMES},
        "data image_folder": {"folder": str(ROOT / "images"), "size": 8},
    },
    leaving_out={
        f"recipe {name}: {check}": f"{reason}; test_plugin.py trains it on files that are there"
        for name, reason in (("fashion_mlp", "it fetches its data"), ("images_mlp", "it asks for a folder"))
        for check in ("runs", "resumes exactly")
    },
)


@pytest.fixture(scope="module", autouse=True)
def files(write_collections: Callable[[Path], None], write_images: Callable[[Path], None]) -> Iterator[None]:
    write_collections(ROOT)
    write_images(ROOT / "images")
    yield
    FILES.cleanup()


@pytest.fixture(autouse=True)
def hashes(know_cifar: Callable[[Path], None]) -> None:
    know_cifar(ROOT)


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_parts_keep_their_contract(device: torch.device, check: Check, tmp_path: Path) -> None:
    check(tmp_path, device=device)


def test_every_part_is_checked() -> None:
    assert {check.subject for check in CHECKS} == {
        "plugin ganfw-datasets",
        "recipe fashion_mlp",
        "recipe images_mlp",
        "data image_folder",
        *(f"data {name}" for name in NAMES),
    }
