"""Which grids of samples a page shows: evenly spaced ones, of several runs at the same steps."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from pathlib import Path

from attrs import frozen

from ganfw.errors import RunError
from ganfw.report.pictures import Picture, load_picture
from ganfw.report.reading import text_of
from ganfw.report.run import Run

MOST_GRIDS = 60
"""A run with more grids than this is shown with as many, evenly spaced; the first and the last are always kept."""

MAX_PAGE_BYTES = 12_000_000
"""All grids of a page together take at most this much; if they would take more, there are half as many of each run."""

TellOf = Callable[[str, str], None]
"""Takes a run's label, and a sentence about what of it cannot be shown."""


@frozen
class Strip:
    """The grids of one run, in order.

    Attributes:
        label: the run's.
        real: the grid of real samples.
        frames: steps and the grids at them.
    """

    label: str
    real: Picture | None
    frames: tuple[tuple[int, Picture], ...]


@frozen
class TimeLapse:
    """The grids of all runs.

    Attributes:
        steps: where the slider can stop.
        strips: one for each run that has grids.
        left_out: how many grids were left out.
    """

    steps: tuple[int, ...]
    strips: tuple[Strip, ...]
    left_out: int


def make_time_lapse(runs: Sequence[Run], tell: TellOf) -> TimeLapse:
    """Load the grids of a page; one that cannot be read is told, and left out."""
    most = MOST_GRIDS
    loaded: dict[Path, Picture | None] = {}
    while True:
        steps = evenly(sorted({step for run in runs for step in run.grids}), most)
        strips = [_strip(run, steps, loaded, tell) for run in runs]
        pictures = [picture for strip in strips for _, picture in strip.frames]
        if most <= 2 or sum(len(picture.address) for picture in pictures) <= MAX_PAGE_BYTES:
            break
        most //= 2
    unread = sum(picture is None for picture in loaded.values())
    left_out = sum(len(run.grids) for run in runs) - len(pictures) - unread
    return TimeLapse(tuple(steps), tuple(strip for strip in strips if strip.frames), max(0, left_out))


def evenly(steps: Sequence[int], most: int) -> list[int]:
    """Return at most `most` of the steps, evenly spaced among them, the first and the last kept."""
    if len(steps) <= most:
        return list(steps)
    return [steps[round(index * (len(steps) - 1) / (most - 1))] for index in range(most)]


def _strip(run: Run, steps: Sequence[int], loaded: dict[Path, Picture | None], tell: TellOf) -> Strip:
    """Load, for each stop, the run's newest grid up to there."""
    own = sorted(run.grids)
    wanted = dict.fromkeys(own[place - 1] for step in steps if (place := bisect_right(own, step)))
    frames = []
    for step in wanted:
        path = run.grids[step]
        if path not in loaded:
            loaded[path] = picture_or_none(path, run, tell)
        if (picture := loaded[path]) is not None:
            frames.append((step, picture))
    real = None if run.real is None else picture_or_none(run.real, run, tell)
    return Strip(run.label, real, tuple(frames))


def picture_or_none(path: Path, run: Run, tell: TellOf) -> Picture | None:
    """Load a picture, or tell why it cannot be shown."""
    try:
        return load_picture(path)
    except RunError as error:
        tell(run.label, text_of(str(error).removeprefix(f"{run.directory}/")))
        return None
