"""Images of one's own, in the many forms that folders have."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganfw
from ganfw import DataError, TensorData
from ganfw_datasets.image_folder import FolderImages, image_folder

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def paint(path: Path, colour: tuple[int, ...] | int, size: tuple[int, int] = (40, 20), mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)


@pytest.fixture
def sorted_folder(tmp_path: Path) -> Path:
    """Return a folder with two classes, and things that are no images of them."""
    paint(tmp_path / "green" / "b.png", GREEN)
    paint(tmp_path / "green" / "deep" / "a.BMP", GREEN)
    paint(tmp_path / "blue" / "c.webp", BLUE)
    paint(tmp_path / ".thumbnails" / "t.png", RED)
    paint(tmp_path / "blue" / ".hidden.png", RED)
    (tmp_path / "blue" / "notes.txt").write_text("no image")
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_folders_are_the_classes_in_the_order_of_their_names(sorted_folder: Path) -> None:
    data = image_folder(folder=str(sorted_folder), size=8)

    assert isinstance(data, TensorData)
    assert (data.samples.shape, data.samples.dtype, data.num_classes) == ((3, 3, 8, 8), torch.uint8, 2)
    assert data.labels is not None
    assert data.labels.tolist() == [0, 1, 1]
    assert data.samples[:, :, 4, 4].tolist()[1:] == [[0, 255, 0]] * 2
    assert data.samples[0, 2].float().mean() > 240  # WebP loses a little


def test_images_beside_folders_have_no_classes(sorted_folder: Path) -> None:
    paint(sorted_folder / "a.png", RED)

    data = image_folder(folder=str(sorted_folder), size=8)

    assert isinstance(data, TensorData)
    assert (len(data), data.labels, data.num_classes) == (4, None, None)
    with pytest.raises(DataError) as caught:
        image_folder(folder=str(sorted_folder), labels="folders")
    assert str(caught.value) == (
        f"{sorted_folder / 'a.png'}: belongs to no class; with data.labels = 'folders' images are in folders"
    )


def test_labels_can_be_left_out(sorted_folder: Path) -> None:
    data = image_folder(folder=str(sorted_folder), size=8, labels="none")

    assert isinstance(data, TensorData)
    assert (len(data), data.labels, data.num_classes) == (3, None, None)


@pytest.mark.parametrize("size", [(40, 20), (20, 40)])
def test_the_central_square_is_kept(size: tuple[int, int], tmp_path: Path) -> None:
    image = Image.new("RGB", size, RED)
    image.paste(GREEN, ((size[0] - 20) // 2, (size[1] - 20) // 2, (size[0] + 20) // 2, (size[1] + 20) // 2))
    image.save(tmp_path / "a.png")

    data = image_folder(folder=str(tmp_path), size=10)

    assert isinstance(data, TensorData)
    assert torch.equal(data.samples[0], torch.tensor(GREEN, dtype=torch.uint8).reshape(3, 1, 1).expand(3, 10, 10))


def test_an_image_of_the_right_size_is_not_changed(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")

    data = image_folder(folder=str(tmp_path), size=9)

    assert isinstance(data, TensorData)
    assert np.array_equal(data.samples[0].permute(1, 2, 0).numpy(), pixels)


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("1", 1, [255, 255, 255]),
        ("L", 90, [90, 90, 90]),
        ("P", 0, [0, 0, 0]),
        ("LA", (90, 0), [255, 255, 255]),
        ("RGBA", (10, 20, 30, 255), [10, 20, 30]),
        ("RGBA", (0, 0, 0, 0), [255, 255, 255]),
        ("CMYK", (0, 0, 0, 0), [255, 255, 255]),
    ],
)
def test_images_of_every_mode_become_colour(
    mode: str, colour: tuple[int, ...] | int, expected: list[int], tmp_path: Path
) -> None:
    paint(tmp_path / ("a.tif" if mode == "CMYK" else "a.png"), colour, mode=mode)

    data = image_folder(folder=str(tmp_path), size=4)

    assert isinstance(data, TensorData)
    assert data.samples[0, :, 0, 0].tolist() == expected


def test_colour_becomes_grey_by_luma(tmp_path: Path) -> None:
    paint(tmp_path / "a.png", (100, 50, 200))

    data = image_folder(folder=str(tmp_path), size=4, channels=1)

    assert isinstance(data, TensorData)
    assert data.samples.unique().tolist() == [round(0.299 * 100 + 0.587 * 50 + 0.114 * 200)]
    assert data.sample_shape == (1, 4, 4)


def test_photographs_taken_sideways_are_turned(tmp_path: Path) -> None:
    image = Image.new("RGB", (8, 8), RED)
    image.paste(GREEN, (0, 0, 8, 4))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    image.save(tmp_path / "a.png", exif=exif)

    data = image_folder(folder=str(tmp_path), size=8)

    assert isinstance(data, TensorData)
    assert [data.samples[0, :, row, 0].tolist() for row in (0, 7)] == [list(RED), list(GREEN)]


def test_images_beyond_the_limit_are_read_as_they_are_needed(sorted_folder: Path) -> None:
    in_memory = image_folder(folder=str(sorted_folder), size=8)
    on_disk = image_folder(folder=str(sorted_folder), size=8, memory_limit_mb=0)

    assert isinstance(in_memory, TensorData)
    assert isinstance(on_disk, FolderImages)
    assert (len(on_disk), on_disk.classes) == (3, ["blue", "green"])
    for index in range(3):
        image, label = on_disk[index]
        assert (image.dtype, float(image.max()) <= 1) == (torch.float32, True)
        assert torch.equal(image, in_memory.samples[index].float() / 255)
        assert in_memory.labels is not None
        assert label == int(in_memory.labels[index])
    unlabelled = image_folder(folder=str(sorted_folder), size=8, labels="none", memory_limit_mb=0)
    assert isinstance(unlabelled, FolderImages)
    assert torch.equal(torch.as_tensor(unlabelled[1]), in_memory.samples[1].float() / 255)


@pytest.mark.parametrize("memory_limit_mb", [2000, 0])
def test_a_recipe_trains_on_a_folder(
    memory_limit_mb: int, sorted_folder: Path, registry: ganfw.Registry, tmp_path: Path
) -> None:
    data = {"use": "image_folder", "folder": str(sorted_folder), "size": 8, "memory_limit_mb": memory_limit_mb}
    recipe = ganfw.Recipe(
        extends="mnist_mlp",
        run={"batch_size": 3, "max_steps": 3, "epochs": 3, "device": "cpu", "workers": 0},
        data=data,
        generator={"hidden_dim": 2},
        discriminator={"hidden_dim": 2},
    )
    experiment = ganfw.assemble(ganfw.resolve(recipe, registry))

    assert experiment.batches.num_classes == 2
    assert ganfw.train(experiment, directory=tmp_path).finished


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        image_folder(folder=str(tmp_path / "nothing"))
    assert str(caught.value) == f"{tmp_path / 'nothing'}: no such folder (in a recipe: data.folder)"


def test_a_folder_without_images_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("")

    with pytest.raises(DataError) as caught:
        image_folder(folder=str(tmp_path))
    assert str(caught.value) == (
        f"{tmp_path}: no images in it; looked for files that end in .bmp, .gif, .jpeg, .jpg, .png, .tif, .tiff, .webp"
    )


def test_an_image_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(DataError) as caught:
        image_folder(folder=str(tmp_path))
    path = tmp_path / "a.png"
    assert str(caught.value) == f"{path}: cannot be read as an image: cannot identify image file '{path}'"


def test_an_image_that_is_cut_short_is_told(tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(tmp_path / "a.png")
    os.truncate(tmp_path / "a.png", 3000)

    with pytest.raises(DataError, match=rf"^{re.escape(str(tmp_path / 'a.png'))}: cannot be read as an image: "):
        image_folder(folder=str(tmp_path))


def test_an_image_of_16_bits_is_told(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 4000, np.uint16)).save(tmp_path / "a.png")

    with pytest.raises(DataError) as caught:
        image_folder(folder=str(tmp_path))
    assert str(caught.value) == f"{tmp_path / 'a.png'}: has more than 8 bits a channel; convert it to 8 bits"
