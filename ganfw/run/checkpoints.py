"""Where the checkpoints of a run are, which is the newest, and which are kept."""

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from ganfw.errors import RunError
from ganfw.files import is_folder, read_bounded, write_atomically

if TYPE_CHECKING:
    from ganfw.training.loop import Training

LATEST = "latest"
"""The file that names the checkpoint saved last."""
MAX_LATEST_BYTES = 100


def checkpoint_name(step: int) -> str:
    """Return the name of a checkpoint's directory: `"step-000500"`."""
    return f"step-{step:06d}"


def checkpoints_in(run: Path) -> list[Path]:
    """Return the checkpoints of a run, the one to continue from first: that saved last, then by falling step."""
    found = {_step(path): path for path in (run / "checkpoints").glob("step-*") if _step(path) >= 0}
    ordered = [found[step] for step in sorted(found, reverse=True)]
    try:
        latest = read_bounded(run / "checkpoints" / LATEST, MAX_LATEST_BYTES).decode(errors="replace").strip()
    except RunError:
        latest = ""
    return sorted(ordered, key=lambda path: path.name != latest)


def checkpoint_at(run: Path, step: int) -> Path:
    """Return the checkpoint that a run has kept of a step.

    Raises:
        RunError: it is not a run directory with checkpoints, or has kept none of that step.
    """
    if not is_folder(run):
        raise RunError(f"{run}: no such run directory or checkpoint; see: ganfw runs")
    kept = {_step(path): path for path in checkpoints_in(run)}
    if not kept:
        raise RunError(f"{run}: not a run directory with checkpoints; see: ganfw runs")
    if step not in kept:
        raise RunError(f"{run}: has no checkpoint of step {step}; it has kept: {', '.join(map(str, sorted(kept)))}")
    return kept[step]


def point_to(checkpoint: Path) -> None:
    """Note that this checkpoint was saved last."""
    write_atomically(checkpoint.parent / LATEST, f"{checkpoint.name}\n".encode())


def prune(checkpoint: Path, keep: int) -> None:
    """Remove what is older than the `keep` newest up to this checkpoint, and what is newer.

    A newer one is damaged, or of a course that a resume from further back has left.
    """
    step = _step(checkpoint)
    past = sorted((path for path in checkpoints_in(checkpoint.parent.parent) if _step(path) <= step), key=_step)
    for path in checkpoints_in(checkpoint.parent.parent):
        if path not in past[-keep:]:
            remove(path)


def remove(checkpoint: Path) -> None:
    """Remove a checkpoint, under a name that no reader takes for one: a removal cut short leaves no half of it."""
    leftover = checkpoint.with_name(f".{checkpoint.name}.old")
    if leftover.exists():
        shutil.rmtree(leftover)
    shutil.rmtree(checkpoint.rename(leftover))


def remove_leftovers(training: "Training", *, keep: int = 2) -> None:
    """Remove what a crash has left: halves of files, and checkpoints older than the `keep` newest.

    Raises:
        RunError: the system refuses.
    """
    run = training.require_directory("checkpoint")
    past = [path for path in checkpoints_in(run) if _step(path) <= training.step]
    try:
        for folder in (run, run / "samples", run / "eval", run / "checkpoints"):
            for path in [*folder.glob(".*.tmp"), *folder.glob(".*.old")]:
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
        for path in sorted(past, key=_step)[:-keep]:
            remove(path)
    except OSError as error:
        raise RunError(f"{run}: files that a crash has left cannot be removed: {error.strerror}") from error


def _step(path: Path) -> int:
    """Return the step in a checkpoint's name, or -1."""
    match = re.fullmatch(r"step-([0-9]{6,15})", path.name)
    return int(match.group(1)) if match and path.is_dir() and not path.is_symlink() else -1
