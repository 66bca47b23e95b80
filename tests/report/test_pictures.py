"""Which grids a page shows, and how large they are."""

import base64
import io
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ganfw import RunError
from ganfw.report import pictures
from ganfw.report.pictures import TimeLapse, evenly, load_picture, make_time_lapse
from ganfw.report.run import read_runs

MakeRun = Callable[..., Path]


def lapse_of(*directories: Path) -> TimeLapse:
    problems: list[tuple[str, str]] = []
    lapse = make_time_lapse(read_runs(directories), problems)
    assert problems == []
    return lapse


def write_noise(path: Path, width: int) -> None:
    Image.frombytes("RGB", (width, width), random.Random(str(path.name)).randbytes(3 * width * width)).save(path)


def test_thinning_keeps_the_ends_and_is_even() -> None:
    assert evenly(range(10), 10) == list(range(10))
    assert evenly(range(101), 5) == [0, 25, 50, 75, 100]
    assert evenly([7], 2) == [7]


def test_a_run_with_many_grids_shows_sixty(make_run: MakeRun) -> None:
    run = make_run()
    for step in range(11, 210):
        write_noise(run / "samples" / f"step-{step:06d}.png", 4)
    lapse = lapse_of(run)

    assert len(lapse.steps) == len(lapse.strips[0].frames) == 60
    assert (lapse.steps[0], lapse.steps[-1], lapse.left_out) == (5, 209, 141)


def test_grids_that_would_fill_the_page_are_thinned_further(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_PAGE_BYTES", 200_000)
    run = make_run()
    for path in (run / "samples").glob("step-*"):
        path.unlink()
    for step in range(60):
        write_noise(run / "samples" / f"step-{step:06d}.png", 40)
    lapse = lapse_of(run)

    sizes = [len(picture.address) for _, picture in lapse.strips[0].frames]
    assert sum(sizes) <= 200_000 < 2 * sum(sizes)
    assert (lapse.steps[0], lapse.steps[-1], lapse.left_out) == (0, 59, 60 - len(sizes))


def test_runs_are_shown_at_the_same_steps_each_with_its_newest_grid(make_run: MakeRun) -> None:
    runs = [make_run("a"), make_run("b")]
    (runs[1] / "samples" / "step-000005.png").rename(runs[1] / "samples" / "step-000007.png")
    lapse = lapse_of(*runs)

    assert lapse.steps == (5, 7, 10)
    assert [[step for step, _ in strip.frames] for strip in lapse.strips] == [[5, 10], [7, 10]]


def test_a_picture_keeps_every_pixel_and_nothing_else(one_run: Path, tmp_path: Path) -> None:
    path = tmp_path / "grid.png"
    with Image.open(one_run / "samples" / "step-000010.png") as grid:
        text = PngInfo()
        text.add_text("Comment", "<script>a comment</script>")
        grid.save(path, pnginfo=text)
        expected = grid.convert("RGB").tobytes()
    path.write_bytes(path.read_bytes() + b"<script>a trailer</script>")
    picture = load_picture(path)

    content = base64.b64decode(picture.address.removeprefix("data:image/png;base64,"))
    assert b"<script>" not in content
    with Image.open(io.BytesIO(content)) as decoded:
        assert decoded.convert("RGB").tobytes() == expected
        assert decoded.size == (picture.width, picture.height)


def test_what_is_no_picture_is_refused(one_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "grid.png"
    content = (one_run / "samples" / "step-000010.png").read_bytes()
    for damaged in (b"", b"GIF89a", content[:60], content[: len(content) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(RunError) as caught:
            load_picture(path)
        assert str(caught.value) == f"{path}: not a picture that can be decoded"

    path.write_bytes(content)
    monkeypatch.setattr(pictures, "MAX_PIXELS", 1000)
    with pytest.raises(RunError) as caught:
        load_picture(path)
    assert str(caught.value) == f"{path}: more than 1000 pixels"
