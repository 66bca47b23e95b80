"""The contract of every kind of part, as ganfw checks it, on small files."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from ganfw import Recipe, discover
from ganfw.testing import Check, checks_of, small_recipe

FILES = tempfile.TemporaryDirectory()
ROOT = Path(FILES.name)
NAMES = ("fashion_mnist", "kmnist", "emnist", "cifar10")
SMALL = small_recipe(discover())


def without_images(data: str) -> Recipe:
    return Recipe(
        name="numbers",
        extends=SMALL,
        data={"use": f"ganfw-datasets:{data}", "size": 2000},
        generator={"output": "linear"},
        callbacks={"samples": {"use": "sample_lines"}},
    )


CHECKS = checks_of(
    "ganfw-datasets",
    bases={
        **{part: without_images("sines") for part in ("data sines", "metric sine_fit")},
        **{part: without_images("two_columns") for part in ("data two_columns", "metric columns")},
    },
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
        "recipe sines_mlp",
        "recipe two_columns_mlp",
        "data image_folder",
        "data sines",
        "data two_columns",
        "metric sine_fit",
        "metric columns",
        *(f"data {name}" for name in NAMES),
    }
