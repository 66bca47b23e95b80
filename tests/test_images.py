from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganfw import InputError, RunError, image_grid, terminal_preview, write_png
from ganfw.images import to_uint8


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


@pytest.mark.parametrize("shape", [(5, 2), (5, 4, 8, 8)])
def test_samples_that_are_no_images_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError) as caught:
        image_grid(torch.zeros(shape))
    assert str(caught.value) == f"samples of shape {shape[1:]} are no images; save them as .npy instead"


@pytest.mark.parametrize("channels", [1, 3])
def test_png_holds_the_very_pixels(tmp_path: Path, channels: int) -> None:
    picture = torch.randint(0, 256, (channels, 6, 7), dtype=torch.uint8)
    write_png(tmp_path / "new" / "a.png", picture)

    pixels = np.asarray(Image.open(tmp_path / "new" / "a.png")).reshape(6, 7, channels)
    assert np.array_equal(pixels, picture.permute(1, 2, 0).numpy())
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]


def test_png_that_cannot_be_written_is_told(tmp_path: Path) -> None:
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
