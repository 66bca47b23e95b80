"""Pictures for the page: read from strangers' files, checked, and written anew into the page itself."""

import base64
import io
import warnings
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from ganfw.errors import RunError
from ganfw.files import read_bounded
from ganfw.report.run import Run

MAX_BYTES = 32 << 20
"""A picture file larger than this (32 MiB) is refused."""

MAX_PIXELS = 1 << 24
"""A picture of more pixels than this (16.8 million) is refused before it is decoded."""

MOST_GRIDS = 60
"""A run with more grids than this is shown with as many, evenly spaced; the first and the last are always kept."""

MAX_PAGE_BYTES = 12_000_000
"""All grids of a page together take at most this much; if they would take more, there are half as many of each run."""

Problems = list[tuple[str, str]]
"""Labels of runs, and a sentence about what of each cannot be shown."""


@frozen
class Picture:
    """A picture inside the page: the whole of it as a `data:` address, and its size in pixels."""

    address: str
    width: int
    height: int


@frozen
class Strip:
    """The grids of one run: steps in order and the grid at each, and that of real samples."""

    label: str
    real: Picture | None
    frames: tuple[tuple[int, Picture], ...]


@frozen
class TimeLapse:
    """The grids of all runs: where the slider can stop, a strip for each run, and how many grids were left out."""

    steps: tuple[int, ...]
    strips: tuple[Strip, ...]
    left_out: int


def load_picture(path: Path) -> Picture:
    """Read a PNG file and write its pixels anew, grey or in colour; nothing else of it is kept.

    Raises:
        RunError: the file is missing, too large, or not a picture that can be decoded.
    """
    from PIL import Image

    content = read_bounded(path, MAX_BYTES)
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(content), formats=["PNG"]) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise RunError(f"{path}: more than {MAX_PIXELS} pixels")
            pixels = opened.convert("L" if opened.mode in ("1", "L") else "RGB")
        pixels.info.clear()
        written = io.BytesIO()
        pixels.save(written, "PNG", optimize=True)
    except RunError:
        raise
    except Exception:  # decoders raise any exception for damaged files
        raise RunError(f"{path}: not a picture that can be decoded") from None
    return Picture(f"data:image/png;base64,{base64.b64encode(written.getvalue()).decode()}", *pixels.size)


def picture_of(run: Run, path: Path | None, problems: Problems) -> Picture | None:
    """Load a picture of a run; None if there is none, or it cannot be shown."""
    try:
        return None if path is None else load_picture(path)
    except RunError as error:
        problems.append((run.label, str(error).removeprefix(f"{run.directory}/")))
        return None


def make_time_lapse(runs: Sequence[Run], problems: Problems) -> TimeLapse:
    """Load the grids of a page; one that cannot be read is left out, and named in `problems`."""
    most = MOST_GRIDS
    reals = [picture_of(run, run.real, problems) for run in runs]
    loaded: dict[Path, Picture | None] = {}
    while True:
        steps = evenly(sorted({step for run in runs for step in run.grids}), most)
        frames = [_frames(run, steps, loaded, problems) for run in runs]
        pictures = [picture for each in frames for _, picture in each]
        if most <= 2 or sum(len(picture.address) for picture in pictures) <= MAX_PAGE_BYTES:
            break
        most //= 2
    unread = sum(picture is None for picture in loaded.values())
    left_out = sum(len(run.grids) for run in runs) - len(pictures) - unread
    strips = [Strip(run.label, real, own) for run, real, own in zip(runs, reals, frames, strict=True) if own]
    return TimeLapse(tuple(steps), tuple(strips), max(0, left_out))


def evenly(steps: Sequence[int], most: int) -> list[int]:
    """Return at most `most` of the steps, evenly spaced among them, the first and the last kept."""
    if len(steps) <= most:
        return list(steps)
    return [steps[round(index * (len(steps) - 1) / (most - 1))] for index in range(most)]


def _frames(
    run: Run, steps: Sequence[int], loaded: dict[Path, Picture | None], problems: Problems
) -> tuple[tuple[int, Picture], ...]:
    """Load, for each stop, the run's newest grid up to there."""
    own = sorted(run.grids)
    wanted = dict.fromkeys(own[place - 1] for step in steps if (place := bisect_right(own, step)))
    for path in (run.grids[step] for step in wanted):
        if path not in loaded:
            loaded[path] = picture_of(run, path, problems)
    return tuple((step, picture) for step in wanted if (picture := loaded[run.grids[step]]) is not None)
