"""Options that several commands share."""

import functools
from collections.abc import Callable
from typing import Any

import click

from ganfw.plugins.discovery import discover


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
        return command(registry=discover(scripts=scripts, blocked=blocked), **options)

    return wrapped


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
