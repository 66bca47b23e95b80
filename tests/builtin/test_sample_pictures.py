"""Pictures of points and series, and which callback draws what."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganfw
from ganfw import InputError, Recipe, Registry
from ganfw.builtin.sample_pictures import lines_png, scatter_png

BLUE, GREY = (0x15, 0x65, 0xC0), (0xB0, 0xB0, 0xB0)


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def centre_of(picture: np.ndarray, colour: tuple[int, int, int]) -> tuple[float, float]:
    """Return where the pixels of a colour within the axes are on average, as shares of width and height from below."""
    rows, columns = np.nonzero((picture[20:440, 45:465] == colour).all(axis=2))
    return (columns.mean() + 45) / 480, 1 - (rows.mean() + 20) / 480


@pytest.fixture
def points(tiny: Recipe) -> Recipe:
    return Recipe(
        name="points",
        extends=tiny,
        data={"use": "grid", "size": 1000},
        generator={"output": "linear"},
        callbacks={"samples": {"use": "sample_scatter", "every_steps": 4}},
    )


def test_points_lie_where_they_are_and_those_outside_are_not_seen() -> None:
    real = torch.tensor([[-1.0, -1.0], [1.0, 1.0], [1.0, -1.0]])
    picture = pixels(scatter_png(real, torch.tensor([[0.5, -0.5], [50.0, 50.0]])))

    per_unit = 0.9 / 2.6  # the axes span 1.3 times the real points, around the middle of the axes, (0.53, 0.52)
    assert picture.shape == (480, 480, 3)
    assert centre_of(picture, GREY) == pytest.approx((0.53 + per_unit / 3, 0.52 - per_unit / 3), abs=0.01)
    assert centre_of(picture, BLUE) == pytest.approx((0.53 + per_unit / 2, 0.52 - per_unit / 2), abs=0.01)


def test_fakes_are_over_real_points() -> None:
    points = torch.tensor([[-1.0, -1.0], [1.0, 1.0]])

    assert (pixels(scatter_png(points, points)) == BLUE).all(axis=2).any()


def test_the_picture_is_a_function_of_the_points() -> None:
    real, fake = torch.randn(2, 50, 2, generator=torch.Generator().manual_seed(0))

    assert scatter_png(real, fake) == scatter_png(real, fake)
    assert scatter_png(real, fake) != scatter_png(real)


def test_a_single_point_has_a_picture() -> None:
    assert (pixels(scatter_png(torch.zeros(3, 2))) == GREY).all(axis=2).any()


def test_pictures_are_saved_every_so_many_steps_and_at_the_end(
    points: Recipe, registry: Registry, tmp_path: Path
) -> None:
    experiment = ganfw.assemble(ganfw.resolve(points, registry))
    ganfw.train(experiment, directory=tmp_path)

    names = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert names == ["real.png", "step-000004.png", "step-000008.png", "step-000010.png"]
    real = experiment.batches.first(2000).samples
    fake = ganfw.sample(experiment.networks["generator"], experiment.noise, 2000)
    assert (tmp_path / "samples" / "step-000010.png").read_bytes() == scatter_png(real, fake)


def test_points_need_the_scatter(points: Recipe, registry: Registry, tmp_path: Path) -> None:
    experiment = ganfw.assemble(
        ganfw.resolve(Recipe(name="wrong", extends=points, callbacks={"samples": {"use": "sample_grid"}}), registry)
    )

    with pytest.raises(InputError) as caught:
        ganfw.train(experiment, directory=tmp_path)
    assert str(caught.value) == (
        "callback 'sample_grid' draws images of 1 or 3 channels, but the samples have the shape (2,); "
        "use = 'sample_scatter' draws points in the plane, and 'sample_lines' series"
    )


def test_images_need_the_grid(tiny: Recipe, registry: Registry, tmp_path: Path) -> None:
    recipe = Recipe(name="wrong", extends=tiny, callbacks={"samples": {"use": "sample_scatter"}})

    with pytest.raises(InputError) as caught:
        ganfw.train(ganfw.assemble(ganfw.resolve(recipe, registry)), directory=tmp_path)
    assert str(caught.value) == (
        "callback 'sample_scatter' draws points in the plane, but the samples have the shape (1, 28, 28); "
        "use = 'sample_grid' draws images, and 'sample_lines' series"
    )


def test_a_series_is_a_line_in_a_panel_of_its_own() -> None:
    real = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    level = torch.full((3, 50), 0.5)

    picture = pixels(lines_png(real, level, columns=2))

    blue = (picture == BLUE).all(axis=2)
    sides = [np.flatnonzero(blue[:, columns].any(axis=1)) for columns in (slice(0, 120), slice(-40, None))]
    assert [1 + (np.diff(rows) > 1).sum() for rows in sides] == [2, 1], "two on the left, one on the right"
    assert not (pixels(lines_png(real)) == BLUE).all(axis=2).any(), "without fakes, real series are grey"
    assert lines_png(real, level) == lines_png(real, level)


def test_images_are_not_series(tiny: Recipe, registry: Registry, tmp_path: Path) -> None:
    recipe = Recipe(name="wrong", extends=tiny, callbacks={"samples": {"use": "sample_lines"}})

    with pytest.raises(InputError) as caught:
        ganfw.train(ganfw.assemble(ganfw.resolve(recipe, registry)), directory=tmp_path)
    assert str(caught.value) == (
        "callback 'sample_lines' draws series, but the samples have the shape (1, 28, 28); "
        "use = 'sample_grid' draws images"
    )


def test_matplotlib_is_imported_only_when_a_picture_is_drawn() -> None:
    code = "import sys, ganfw.builtin.sample_pictures; print('matplotlib' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
