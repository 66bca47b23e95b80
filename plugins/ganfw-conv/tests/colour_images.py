"""Colour images for the recipes that are for CIFAR-10 or for a folder, drawn or written by the tests."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from torchvision import datasets

SHAPES = ("circle", "square", "triangle")


def draw_shape(shape: str, side: int, random: np.random.Generator) -> Image.Image:
    """Draw a shape of one colour on a gradient between two others, its place and size at random."""
    first, last, colour = (tuple(map(int, random.integers(0, 256, 3))) for _ in range(3))
    ramp = np.linspace(first, last, side)
    image = Image.fromarray(np.broadcast_to(ramp[:, None], (side, side, 3)).astype(np.uint8))
    size = side * random.uniform(0.3, 0.6)
    x, y = random.uniform(0, side - size, 2)
    draw = ImageDraw.Draw(image)
    if shape == "circle":
        draw.ellipse((x, y, x + size, y + size), fill=colour)
    elif shape == "square":
        draw.rectangle((x, y, x + size, y + size), fill=colour)
    else:
        draw.polygon([(x, y + size), (x + size, y + size), (x + size / 2, y)], fill=colour)
    return image


def write_shapes(folder: Path, each: int, side: int = 64) -> None:
    """Write a folder with a class of images for each shape."""
    random = np.random.default_rng(0)
    for shape in SHAPES:
        (folder / shape).mkdir(parents=True)
        for number in range(each):
            draw_shape(shape, side, random).save(folder / shape / f"{number:05}.png")


def write_cifar10(root: Path, monkeypatch: pytest.MonkeyPatch, count: int = 120) -> None:
    """Write a few images in the files of CIFAR-10, pickled dicts, and let torchvision expect their hashes."""
    random = np.random.default_rng(0)
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    for name in names:
        labels = np.arange(count // 5) % 10
        images = [draw_shape(SHAPES[label % 3], 32, random) for label in labels]
        data = np.stack([np.asarray(image).transpose(2, 0, 1).ravel() for image in images])
        (folder / name).write_bytes(pickle.dumps({"data": data, "labels": labels.tolist()}))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": [f"class {label}" for label in range(10)]}))

    def entry(name: str) -> list[str]:
        return [name, hashlib.md5((folder / name).read_bytes()).hexdigest()]

    monkeypatch.setattr(datasets.CIFAR10, "train_list", [entry(name) for name in names[:5]])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [entry("test_batch")])
    monkeypatch.setattr(datasets.CIFAR10, "meta", {**datasets.CIFAR10.meta, "md5": entry("batches.meta")[1]})
