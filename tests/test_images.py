import math
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.utils import make_grid

from ganfw import InputError, RunError, image_grid, terminal_preview, write_png
from ganfw.images import CAPTION_HEIGHT, GREY, read_images, to_uint8


def test_rounding_brings_real_pixels_back() -> None:
    pixels = torch.arange(256, dtype=torch.uint8)

    assert torch.equal(to_uint8(pixels.float() / 255), pixels)
    assert to_uint8(torch.tensor([-0.1, 0.0019, 0.002, 1.2])).tolist() == [0, 0, 1, 255]


def test_rounding_leaves_the_images_alone() -> None:
    images = torch.full((1, 1, 2, 2), 0.4)
    to_uint8(images)

    assert images.unique().tolist() == [pytest.approx(0.4)]


def test_grid_shows_every_image_in_reading_order_enlarged() -> None:
    images = (torch.arange(6).reshape(6, 1, 1, 1) / 6).expand(6, 1, 28, 28)

    grid = image_grid(images, 3)

    assert (grid.shape, grid.dtype) == ((1, 2 * 88 + 4, 3 * 88 + 4), torch.uint8)
    centres = [int(grid[0, 4 + 42 + 88 * row, 4 + 42 + 88 * column]) for row in range(2) for column in range(3)]
    assert centres == to_uint8(torch.arange(6) / 6).tolist()


def test_grid_of_colour_images_keeps_colours_and_large_images_their_size() -> None:
    images = torch.tensor([1.0, 0.5, 0.0]).reshape(1, 3, 1, 1).expand(4, 3, 100, 100)

    grid = image_grid(images)

    assert grid.shape == (3, 2 * 104 + 4, 2 * 104 + 4)
    assert grid[:, 50, 50].tolist() == [255, 128, 0]


def test_captions_stand_below_their_images_and_change_no_pixel_of_them() -> None:
    images = torch.rand(4, 3, 28, 28)
    height = 84 + CAPTION_HEIGHT + 4

    grid = image_grid(images, 2, captions=["seed 1", "", "seed 3", "a text with far more letters than have room"])

    assert grid.shape == (3, 2 * height + 4, 2 * 88 + 4)
    plain = image_grid(images, 2)
    for row in range(2):
        assert torch.equal(grid[:, 4 + row * height :][:, :84], plain[:, 4 + row * 88 :][:, :84])
    lines = grid[0, 88:106, 4:].float().reshape(CAPTION_HEIGHT, 2, 88)[:, :, :84]
    assert (lines[:, 0].max() > 200, lines[:, 1].unique().tolist()) == (True, [GREY])


def test_captions_of_other_images_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        image_grid(torch.zeros(3, 1, 28, 28), captions=["a"])
    assert str(caught.value) == "1 captions of 3 images: give one for each image, or none"


@pytest.mark.parametrize("shape", [(5, 2), (5, 4, 8, 8)])
def test_samples_that_are_no_images_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError) as caught:
        image_grid(torch.zeros(shape))
    assert str(caught.value) == f"samples of shape {shape[1:]} are not images; save them as .npy instead"


@pytest.mark.parametrize("channels", [1, 3])
def test_png_holds_the_very_pixels(tmp_path: Path, channels: int) -> None:
    picture = torch.randint(0, 256, (channels, 6, 7), dtype=torch.uint8)
    write_png(tmp_path / "new" / "a.png", picture)

    pixels = np.asarray(Image.open(tmp_path / "new" / "a.png")).reshape(6, 7, channels)
    assert np.array_equal(pixels, picture.permute(1, 2, 0).numpy())
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]


def test_png_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "a.png"

    with pytest.raises(RunError) as caught:
        write_png(path, torch.zeros(1, 2, 2, dtype=torch.uint8))
    assert str(caught.value) == f"{path}: cannot be written: File exists"


def test_preview_draws_as_many_images_as_fit_with_two_pixels_a_character() -> None:
    images = torch.zeros(5, 1, 28, 28)
    images[:, :, :14] = 1

    lines = terminal_preview(images, columns=40).split("\n")

    assert len(lines) == 7
    assert [line.count("▀") for line in lines] == [30] * 7
    assert lines[0].startswith("\x1b[38;5;255;48;5;255m▀")
    assert lines[3].startswith("\x1b[38;5;255;48;5;232m▀")
    assert lines[6].startswith("\x1b[38;5;232;48;5;232m▀")


def test_preview_of_a_narrow_terminal_is_empty() -> None:
    assert terminal_preview(torch.zeros(5, 1, 28, 28), columns=10) == ""


def test_pictures_are_turned_the_way_they_were_taken(tmp_path: Path) -> None:
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: the first row is at the right
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)

    (image,) = read_images(tmp_path, (1, 3, 2))

    assert image[0].tolist() == [[0, 1]] * 3


def test_what_is_transparent_is_white_unless_there_is_a_channel_for_it(tmp_path: Path) -> None:
    Image.new("RGBA", (2, 2), (9, 9, 9, 0)).save(tmp_path / "a.png")

    assert read_images(tmp_path, (1, 2, 2)).unique().tolist() == [1]
    assert read_images(tmp_path, (3, 2, 2)).unique().tolist() == [1]
    assert read_images(tmp_path, (4, 2, 2))[:, 3].unique().tolist() == [0]


def test_rows_and_pictures_of_a_folder_have_one_scale(tmp_path: Path) -> None:
    Image.new("L", (2, 2), 255).save(tmp_path / "a.png")
    np.save(tmp_path / "b.npy", np.ones((1, 1, 2, 2)))
    np.save(tmp_path / "c.npy", np.full((1, 1, 2, 2), 255, np.uint8))
    (tmp_path / ".DS_Store").write_text("no image")

    assert read_images(tmp_path, (1, 2, 2)).tolist() == torch.ones(3, 1, 2, 2).tolist()


def save_deep(path: Path) -> None:
    Image.fromarray(np.full((2, 2), 40_000, np.uint16)).save(path.with_suffix(".png"))


def save_huge(path: Path) -> None:
    header = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + (100_000).to_bytes(4, "big") * 2 + b"\x08\0\0\0\0"
    path.with_suffix(".png").write_bytes(header + zlib.crc32(header[12:]).to_bytes(4, "big") + bytes(4) + b"IDAT")


@pytest.mark.parametrize(
    ("save", "reason"),
    [
        (save_deep, "cannot be read as images: it has more than 8 bits a channel; convert it to 8 bits"),
        (save_huge, "cannot be read as images: Image size (10000000000 pixels) exceeds limit of "),
        (
            lambda path: np.save(path, np.full((1, 1, 2, 2), 255.0)),
            "holds values from 255 to 255; images must be in [0, 1]",
        ),
        (lambda path: np.save(path, np.full((1, 1, 2, 2), np.nan)), "holds values that are not finite"),
        (
            lambda path: np.save(path, np.zeros((1, 1, 2, 2), int)),
            "cannot be read as images: it holds int64, not uint8",
        ),
        (lambda path: np.save(path, np.zeros((1, 1, 2, 3))), "holds samples of (1, 2, 3); (1, 2, 2) is needed"),
    ],
    ids=["deep", "huge", "range", "nan", "integers", "shape"],
)
def test_what_would_be_read_wrongly_is_refused(tmp_path: Path, save: Callable[[Path], None], reason: str) -> None:
    save(tmp_path / "a.npy")
    (file,) = tmp_path.iterdir()

    with pytest.raises(InputError) as caught:
        read_images(tmp_path, (1, 2, 2))
    assert str(caught.value).startswith(f"{file}: {reason}")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("count", "columns"), [(1, None), (2, None), (5, 2), (6, 3), (7, 9), (25, 5)])
def test_grids_are_those_of_torchvision(count: int, columns: int | None, channels: int) -> None:
    images = torch.rand(count, channels, 90, 130, generator=torch.Generator().manual_seed(0))
    rows = columns or math.isqrt(count)

    expected = make_grid(to_uint8(images), nrow=rows, padding=3, pad_value=GREY)[:channels]

    assert torch.equal(image_grid(images, columns, padding=3), expected)
