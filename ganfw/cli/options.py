"""Options that several commands share."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ganfw.errors import RunError
from ganfw.plugins.discovery import discover
from ganfw.terminal import prints_aside


def with_registry(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that choose plugins, and pass it what they amount to as `registry`."""

    @click.option(
        "--plugin",
        "scripts",
        multiple=True,
        metavar="FILE",
        type=click.Path(),
        help="Add the parts of a Python file. Repeatable.",
    )
    @click.option(
        "--no-plugin",
        "blocked",
        multiple=True,
        metavar="NAME",
        help="Leave an installed plugin out. Repeatable.",
    )
    @functools.wraps(command)
    def wrapped(scripts: tuple[str, ...], blocked: tuple[str, ...], **options: Any) -> Any:
        with prints_aside():
            return command(registry=discover(scripts=scripts, blocked=blocked), **options)

    return wrapped


def require_place(output: Path) -> None:
    """Make sure, before the work, that a file can be written.

    Raises:
        RunError: it is a folder, or the folder that it goes into can neither be written nor made.
    """
    folder = output.parent if output.parent.exists() else output.parent.parent
    if output.is_dir():
        raise RunError(f"{output}: cannot be written: it is a folder")
    if not folder.is_dir():
        raise RunError(f"{output}: cannot be written: there is no folder {folder}; make it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise RunError(f"{output}: cannot be written: the folder {folder} may not be changed; choose another with -o")


overrides_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a value of the recipe: --set generator.hidden_dim=256. Repeatable.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")

device_option = click.option(
    "--device", default="auto", show_default=True, metavar="D", help="auto, cpu, cuda, cuda:1 or mps."
)
