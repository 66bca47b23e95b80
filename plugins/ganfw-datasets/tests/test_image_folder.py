"""Your own images, in the many forms that folders have."""

import contextlib
import multiprocessing
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from attrs import evolve
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


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        image_folder(folder=str(tmp_path / "nothing"))
    advice = "name one with --set data.folder=PATH, or data.folder in the recipe"
    assert str(caught.value) == f"{tmp_path / 'nothing'}: no such folder; {advice}"


def test_a_folder_without_images_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(DataError) as caught:
        image_folder(folder=str(tmp_path))
    assert str(caught.value) == f"{tmp_path}: no images in it, only 1 .txt"

    (tmp_path / "a.txt").unlink()
    with pytest.raises(DataError) as caught:
        image_folder(folder=str(tmp_path))
    assert str(caught.value) == f"{tmp_path}: no images in it, it is empty"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_reported(sorted_folder: Path) -> None:
    (sorted_folder / "blue").chmod(0)
    with pytest.raises(DataError) as caught:
        image_folder(folder=str(sorted_folder))
    (sorted_folder / "blue").chmod(0o700)
    assert str(caught.value) == f"{sorted_folder / 'blue'}: cannot be read: Permission denied"


def test_all_images_that_cannot_be_used_are_reported_at_once(sorted_folder: Path) -> None:
    (sorted_folder / "blue" / "text.png").write_bytes(b"no image")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(
        sorted_folder / "blue" / "x.png"
    )
    os.truncate(sorted_folder / "blue" / "x.png", 3000)
    Image.fromarray(np.full((8, 8), 4000, np.uint16)).save(sorted_folder / "green" / "deep.png")

    with pytest.raises(DataError) as caught:
        image_folder(folder=str(sorted_folder))

    blue, green = sorted_folder / "blue", sorted_folder / "green"
    assert str(caught.value).splitlines() == [
        f"3 of 6 images in {sorted_folder} cannot be used; repair or remove them:",
        f"  {blue / 'text.png'}: is not an image, although its name says so",
        f"  {blue / 'x.png'}: cannot be read as an image: image file is truncated",
        f"  {green / 'deep.png'}: has more than 8 bits a channel; convert it to 8 bits",
    ]
    lazy = image_folder(folder=str(sorted_folder), memory_limit_mb=0)
    assert isinstance(lazy, FolderImages)
    with pytest.raises(DataError) as caught:
        lazy[1]
    assert str(caught.value) == f"{blue / 'text.png'}: is not an image, although its name says so"


def test_of_many_images_that_cannot_be_used_some_are_reported(tmp_path: Path) -> None:
    for index in range(30):
        (tmp_path / f"{index:02d}.png").write_bytes(b"")

    with pytest.raises(DataError) as caught:
        image_folder(folder=str(tmp_path))

    lines = str(caught.value).splitlines()
    assert lines[0] == f"30 of 30 images in {tmp_path} cannot be used; repair or remove them:"
    assert (len(lines), lines[-1]) == (22, "  … and 10 more")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".gif", ".tif", ".webp", ".avif", ".tga", ".ppm", ".bmp", ".qoi"])
def test_a_damaged_file_of_any_format_is_an_image_or_an_error_that_names_it(suffix: str, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    path = tmp_path / f"a{suffix}"
    Image.fromarray(random.integers(0, 256, (20, 20, 3), np.uint8)).save(path)
    content = path.read_bytes()
    told = []
    for _ in range(60):
        damaged = bytearray(content)
        for at in random.integers(0, len(content), 3):
            damaged[at] = random.integers(256)
        path.write_bytes(damaged[: random.integers(len(content) // 2, len(content) + 1)])
        try:
            image_folder(folder=str(tmp_path), size=4)
        except DataError as error:
            told.append(str(error))
    head = f"1 of 1 images in {tmp_path} cannot be used; repair or remove them:\n  {path}: "
    assert [message for message in told if not message.startswith(head)] == []


@pytest.mark.parametrize("suffix", [".jfif", ".JPE", ".ppm", ".pgm", ".tga", ".avif", ".jp2", ".qoi", ".dib", ".ico"])
def test_files_of_every_common_format_are_read(suffix: str, tmp_path: Path) -> None:
    mode, colour = ("L", 200) if suffix == ".pgm" else ("RGB", (200, 200, 200))
    paint(tmp_path / f"a{suffix}", colour, (16, 16), mode)

    data = image_folder(folder=str(tmp_path), size=16)

    assert isinstance(data, TensorData)
    assert data.samples.float().mean().item() == pytest.approx(200, abs=3)


def test_a_file_that_another_program_would_read_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paint(tmp_path / "a.png", RED)
    paint(tmp_path / "b.eps", RED)
    (tmp_path / "b.eps").rename(tmp_path / "c.png")
    with pytest.raises(DataError, match=r"c\.png: is not an image, although its name says so$"):
        image_folder(folder=str(tmp_path))
    (tmp_path / "c.png").rename(tmp_path / "b.eps")

    assert len(image_folder(folder=str(tmp_path))) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "image_folder: 1 image without classes; left out: 1 .eps"


class TestLinks:
    def test_links_to_folders_and_files_are_followed(
        self, sorted_folder: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        top = tmp_path_factory.mktemp("links")
        (top / "sea").symlink_to(sorted_folder / "blue")
        (top / "wood").symlink_to(sorted_folder / "green", target_is_directory=True)
        (top / "fire").mkdir()
        paint(sorted_folder / "elsewhere" / "r.png", RED)
        (top / "fire" / "r.png").symlink_to(sorted_folder / "elsewhere" / "r.png")

        data = image_folder(folder=str(top), size=8)

        assert isinstance(data, TensorData)
        assert data.labels is not None
        assert (data.labels.tolist(), data.num_classes) == ([0, 1, 2, 2], 3)
        assert data.samples[:, :, 4, 4].argmax(1).tolist() == [0, 2, 1, 1]

    def test_a_link_to_the_whole_folder_is_one(
        self, sorted_folder: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        top = tmp_path_factory.mktemp("links") / "data"
        top.symlink_to(sorted_folder)
        data = image_folder(folder=str(top), size=8)
        assert isinstance(data, TensorData)
        assert (len(data), data.num_classes) == (3, 2)

    def test_links_that_lead_back_are_followed_once(
        self, sorted_folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (sorted_folder / "blue" / "again").symlink_to(sorted_folder)
        (sorted_folder / "all").symlink_to(sorted_folder / "green")  # before it in the order of names
        (sorted_folder / "green" / "self").symlink_to("self")
        (sorted_folder / "blue" / "gone.png").symlink_to("nowhere")

        data = image_folder(folder=str(sorted_folder), size=8)

        assert isinstance(data, TensorData)
        assert data.labels is not None
        assert data.labels.tolist() == [0, 1, 1]
        assert capsys.readouterr().err == (
            "image_folder: 3 images in 2 classes (blue 1, green 2); left out: 2 hidden, "
            "2 linked folders that are read already, 1 .txt, 1 broken links or special files, 1 without a suffix\n"
        )


class TestSummary:
    def summary(self, capsys: pytest.CaptureFixture[str]) -> str:
        return capsys.readouterr().err.removeprefix("image_folder: ")

    def test_it_counts_classes_images_and_what_was_left_out(
        self, sorted_folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        image_folder(folder=str(sorted_folder))
        assert self.summary(capsys) == "3 images in 2 classes (blue 1, green 2); left out: 2 hidden, 1 .txt\n"
        image_folder(folder=str(sorted_folder / "green"), labels="none")
        assert self.summary(capsys) == "2 images without classes\n"

    def test_many_classes_are_counted_together(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for index in range(11):
            paint(tmp_path / str(index) / "a.png", RED)
        paint(tmp_path / "0" / "b.png", RED)
        image_folder(folder=str(tmp_path))
        assert self.summary(capsys) == "12 images in 11 classes (1 to 2 each)\n"

    def test_a_folder_one_level_too_high_is_reported(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for split in ("train", "val"):
            for animal in ("ant", "bee", "cat", "dog"):
                paint(tmp_path / split / animal / "a.png", RED)
        image_folder(folder=str(tmp_path))
        assert self.summary(capsys) == (
            "8 images in 2 classes (train 4, val 4)\n"
            "  every image is in a folder inside its class's folder; if the classes are ant, bee, cat, …, "
            f"write data.folder = '{tmp_path / 'train'}'\n"
        )

    def test_only_the_first_of_several_processes_speaks(
        self, sorted_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("RANK", "1")
        image_folder(folder=str(sorted_folder))
        assert capsys.readouterr().err == ""


def test_a_terminal_shows_how_far_decoding_is(sorted_folder: Path) -> None:
    code = f"from ganfw_datasets.image_folder import image_folder; image_folder(folder={str(sorted_folder)!r})"
    main, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    with os.fdopen(terminal, "w") as stderr:
        subprocess.run([sys.executable, "-c", code], stderr=stderr, check=True)
    shown = ""
    with contextlib.suppress(OSError):  # so Linux says that nothing more comes
        while chunk := os.read(main, 10_000):
            shown += chunk.decode()
    os.close(main)
    assert "reading images:" in shown
    assert "/3 [" in shown


class TestFrame:
    @pytest.fixture
    def wide(self, tmp_path: Path) -> Path:
        """Return a folder with an image of 40 x 20, its left half red and its right half green."""
        image = Image.new("RGB", (40, 20), RED)
        image.paste(GREEN, (20, 0, 40, 20))
        image.save(tmp_path / "a.png")
        return tmp_path

    def pixels(self, folder: Path, **parameters: Any) -> torch.Tensor:
        data = image_folder(folder=str(folder), **parameters)
        assert isinstance(data, TensorData)
        return data.samples[0]

    def test_a_frame_need_not_be_square(self, wide: Path) -> None:
        pixels = self.pixels(wide, size=(10, 20))
        assert pixels.shape == (3, 10, 20)
        assert pixels[:, 5, [0, 19]].T.tolist() == [list(RED), list(GREEN)]
        tall = self.pixels(wide, size=(20, 10))
        assert tall.shape == (3, 20, 10)
        assert tall[:, 5, [0, 9]].T.tolist() == [list(RED), list(GREEN)]

    def test_cropping_keeps_the_middle_in_the_shape_of_the_frame(self, tmp_path: Path) -> None:
        columns = np.tile(np.arange(40, dtype=np.uint8)[None, :, None], (20, 1, 3))
        Image.fromarray(columns).save(tmp_path / "a.png")
        assert self.pixels(tmp_path, size=(20, 10))[0, 0].tolist() == list(range(15, 25))

    def test_padding_keeps_the_whole_image_on_the_background(self, wide: Path) -> None:
        pixels = self.pixels(wide, size=40, fit="pad", background="#0000ff")
        assert pixels[:, [0, 9, 30, 39]].unique(dim=2)[:, :, 0].T.tolist() == [list(BLUE)] * 4
        assert pixels[:, 20, [0, 39]].T.tolist() == [list(RED), list(GREEN)]

    @pytest.mark.parametrize("fit", ["crop", "pad"])
    @pytest.mark.parametrize("size", [(1, 300), (300, 1)])
    def test_an_image_of_extreme_shape_fits(self, fit: str, size: tuple[int, int], tmp_path: Path) -> None:
        paint(tmp_path / "a.png", RED, size)
        assert self.pixels(tmp_path, size=(8, 9), fit=fit).shape == (3, 8, 9)

    @pytest.mark.parametrize(("channels", "expected"), [(1, [76]), (3, [255, 0, 0]), (4, [10, 20, 30, 0])])
    def test_what_is_transparent_gets_the_background_or_stays_so(
        self, channels: int, expected: list[int], tmp_path: Path
    ) -> None:
        paint(tmp_path / "a.png", (10, 20, 30, 0), (8, 8), mode="RGBA")
        assert self.pixels(tmp_path, size=8, channels=channels, background="red")[:, 4, 4].tolist() == expected

    def test_an_opaque_image_with_a_channel_for_transparency_is_opaque(self, tmp_path: Path) -> None:
        paint(tmp_path / "a.png", (10, 20, 30), (8, 8))
        assert self.pixels(tmp_path, size=8, channels=4)[:, 4, 4].tolist() == [10, 20, 30, 255]

    def test_a_colour_that_does_not_exist_is_reported(self, wide: Path) -> None:
        with pytest.raises(DataError) as caught:
            image_folder(folder=str(wide), background="whyte")
        assert str(caught.value) == (
            "data.background: 'whyte' is not a colour; write a name such as 'white', or '#rrggbb'"
        )

    def test_a_recipe_gives_height_and_width(self, wide: Path, registry: ganfw.Registry) -> None:
        data = {"use": "image_folder", "folder": str(wide), "size": [10, 20]}
        recipe = ganfw.Recipe(extends="mnist_mlp", data=data)
        assert ganfw.resolve(recipe, registry).recipe.tables["data"]["size"] == [10, 20]

    @pytest.mark.parametrize("size", ["0", "9223372036854775807", "[8, 9000]"])
    def test_a_recipe_cannot_ask_for_sizes_that_no_memory_holds(self, size: str, registry: ganfw.Registry) -> None:
        recipe = ganfw.Recipe(extends="mnist_mlp", data={"use": "image_folder"}).with_overrides([f"data.size={size}"])
        with pytest.raises(ganfw.RecipeError, match=rf"^--set data.size={re.escape(size)}: data.size must be [<>]= "):
            ganfw.resolve(recipe, registry)


def test_other_images_are_noticed_where_they_are_read_as_they_are_served(sorted_folder: Path) -> None:
    def found(**keys: Any) -> str:
        images = image_folder(folder=str(sorted_folder), memory_limit_mb=0, **keys)
        assert isinstance(images, FolderImages)
        return images.fingerprint()

    fingerprints = [found(), found(size=16)]
    paint(sorted_folder / "green" / "b.png", RED, (41, 20))
    fingerprints.append(found())
    paint(sorted_folder / "green" / "more.png", RED)
    fingerprints.append(found())
    (sorted_folder / "blue").rename(sorted_folder / "red")
    fingerprints.append(found())

    assert len(set(fingerprints)) == len(fingerprints)
    assert found() == fingerprints[-1]


class Killer(ganfw.Callback):
    """Kills a process that loads images after step 3, as a system does that is short of memory."""

    def on_step_end(self, training: ganfw.Training) -> None:
        if training.step == 3:
            os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)
            time.sleep(60)  # torch's error comes up here


def test_a_loading_process_that_is_killed_is_reported_and_the_run_continues(
    sorted_folder: Path, registry: ganfw.Registry, tmp_path: Path
) -> None:
    recipe = ganfw.Recipe(
        extends="mnist_mlp",
        run={"batch_size": 3, "max_steps": 6, "device": "cpu", "workers": 2},
        data={"use": "image_folder", "folder": str(sorted_folder), "size": 8, "memory_limit_mb": 0},
        generator={"hidden_dim": 2},
        discriminator={"hidden_dim": 2},
        callbacks={"checkpoint": {"every_steps": 1}},
    )
    experiment = ganfw.assemble(ganfw.resolve(recipe, registry))

    with pytest.raises(ganfw.RunError) as caught:
        ganfw.train(evolve(experiment, callbacks={**experiment.callbacks, "killer": Killer()}), directory=tmp_path)

    assert str(caught.value) == (
        f"data 'image_folder' (ganfw-datasets {version('ganfw-datasets')}): a process that loads it was killed by "
        "signal: Killed, after step 3; if memory was short, lower run.workers: with 0 the process that trains loads it"
    )
    assert ganfw.open_checkpoint(tmp_path).path.name == "step-000003"
    assert not multiprocessing.active_children()
