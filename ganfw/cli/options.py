"""Arguments and options that several commands share, and what becomes of them."""

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ganfw.errors import InputError, RunError
from ganfw.files import is_folder, temporary_name
from ganfw.plugins.discovery import discover
from ganfw.terminal import prints_aside, say

if TYPE_CHECKING:
    from ganfw.run.load import Checkpoint

_T = TypeVar("_T")

path_type = click.Path(path_type=Path)

run_argument = click.argument("run_directory", metavar="RUN", type=path_type)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
device_option = click.option(
    "--device", default="auto", show_default=True, metavar="D", help="auto, cpu, cuda, cuda:1 or mps."
)
_seed = click.option(
    "--seed", type=int, metavar="S", help="The seed of the samples; by default that of the run, as in its sample grids."
)
_truncation = click.option(
    "--truncation",
    type=float,
    metavar="T",
    help="Keep every noise coordinate within [-T, T]. A smaller T is more faithful and less diverse.",
)
_batch_size = click.option(
    "--batch-size",
    type=int,
    help="Samples at once; fewer need less memory and give the same images.  [default: as in training]",
)


def set_option(what: str) -> Callable[..., Any]:
    """Return the option `--set`, which may be repeated and is for changing what `what` says."""
    return click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help=f"Change {what}. Repeatable.")


overrides_option = set_option("a value of the recipe: --set generator.hidden_dim=256")


def output_option(what: str, metavar: str = "FILE", **more: Any) -> Callable[..., Any]:
    """Return the option `-o`, whose help is `what`."""
    return click.option("-o", "--output", type=path_type, metavar=metavar, help=what, **more)


def with_registry(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that choose plugins, and pass it what they amount to as `registry`."""

    @click.option(
        "--plugin", "scripts", multiple=True, metavar="FILE", help="Add the parts of a Python file. Repeatable."
    )
    @click.option(
        "--no-plugin", "blocked", multiple=True, metavar="NAME", help="Leave an installed plugin out. Repeatable."
    )
    @functools.wraps(command)
    def wrapped(scripts: tuple[str, ...], blocked: tuple[str, ...], **options: Any) -> Any:
        with prints_aside():
            return command(registry=discover(scripts=scripts, blocked=blocked), **options)

    return wrapped


def of_samples(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command that makes samples of a run the argument and the options that all of them have."""
    decorators = (run_argument, _seed, _truncation, _batch_size, device_option, with_registry)
    return functools.reduce(lambda decorated, add: add(decorated), reversed(decorators), command)


def read_run(path: Path, read: "Callable[[Checkpoint], _T]") -> "tuple[Checkpoint, _T]":
    """Open a checkpoint, or the newest of a run, and read from it, saying which damaged ones were passed over.

    If the run is trained meanwhile, and the checkpoint is removed before all is read, read from the newest again.
    """
    from ganfw.run.load import open_checkpoint

    while True:
        checkpoint = open_checkpoint(path)
        try:
            found = read(checkpoint)
        except RunError:
            if checkpoint.path == path or checkpoint.path.exists():
                raise
        else:
            for reason in checkpoint.skipped:
                say(f"skipped a damaged checkpoint: {reason}", err=True)
            return checkpoint, found


def is_sweep(folders: Sequence[Path]) -> bool:
    """Whether this is the folder of one sweep."""
    return len(folders) == 1 and is_folder(folders[0]) and (folders[0] / "sweep.toml").is_file()


def require_place(output: Path, called: Path | None = None) -> None:
    """Make sure, before the work, that a file can be written.

    Args:
        output: the file.
        called: what an error calls it; by default the file itself.

    Raises:
        RunError: it is a folder, or the folder that it goes into can neither be written nor made.
    """
    folder = output.parent if is_folder(output.parent) else output.parent.parent
    if is_folder(output):
        reason = "it is a folder"
    elif not is_folder(folder):
        reason = f"the folder {folder} does not exist; make it first"
    elif not os.access(folder, os.W_OK | os.X_OK):
        reason = f"the folder {folder} may not be changed; choose another with -o"
    elif not (reason := _refusal(temporary_name(output))):
        return
    raise RunError(f"{called or output}: cannot be written: {reason}")


def require_free_folder(output: Path) -> None:
    """Make sure, before the work, that a folder can be written: a new one, or one that is empty.

    Raises:
        InputError: it has something in it.
        RunError: it can neither be written nor made.
    """
    require_place(output / "0", called=output)
    if is_folder(output) and any(output.iterdir()):
        raise InputError(f"-o {output}: the folder has something in it; choose another, or remove it")


def _refusal(path: Path) -> str:
    """Say why the system refuses a path, such as one that is too long, or `""`."""
    try:
        path.lstat()
    except FileNotFoundError:
        return ""
    except NotADirectoryError:
        return f"the folder {path.parent} does not exist; make it first"
    except OSError as error:
        return str(error.strerror)
    return ""
