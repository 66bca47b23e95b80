"""`ganfw new plugin` and `ganfw new recipe`: working starting points."""

from pathlib import Path

import click

from ganfw.cli.options import path_type, with_registry
from ganfw.plugins.registry import Registry
from ganfw.scaffold.plugin import KINDS, plugin_names, trial, write_plugin
from ganfw.scaffold.recipe import write_recipe
from ganfw.terminal import say

path_option = click.option(
    "--path",
    "folder",
    type=path_type,
    default=".",
    metavar="DIR",
    help="The folder to make it in, instead of this one.",
)


@click.group(short_help="Write a new package with a part, or a new recipe.")
def new() -> None:
    """Write a working starting point: a package with a part, or a recipe. Nothing is ever overwritten."""


@new.command(short_help="Write a complete package with one part.")
@click.argument("name")
@click.option(
    "--kind", type=click.Choice(KINDS), default="loss", show_default=True, metavar="KIND", help="The kind of its part."
)
@path_option
@with_registry
def plugin(name: str, kind: str, folder: Path, registry: Registry) -> None:
    """Write a complete package called NAME, such as ganfw-soft-hinge, with one part, its tests and a CI file.

    You can install and test it at once, and then change the part. `ganfw parts` lists the kinds.
    """
    names = plugin_names(name, kind, registry)
    package = write_plugin(names, folder)
    say(package)
    say(
        f"\nA package that offers {kind} '{names.part}'. Next:\n\n"
        f"  cd {package}\n"
        "  python -m pip install -e '.[test]'\n"
        "  python -m pytest\n"
        f"  ganfw parts {kind} {names.part}\n"
        f"  {trial(names)}\n\n"
        f"Then make {names.module}/{names.part}.py your own; its README.md says how to publish it.",
        err=True,
    )


@new.command(short_help="Write a recipe that extends another.")
@click.argument("name")
@click.option(
    "--from",
    "base",
    default="mnist_mlp",
    show_default=True,
    metavar="RECIPE",
    help="The recipe that it extends: a file, or a name that `ganfw recipes` lists.",
)
@path_option
@with_registry
def recipe(name: str, base: str, folder: Path, registry: Registry) -> None:
    """Write NAME.toml, a recipe that extends another and shows as comments what there is to change."""
    path = write_recipe(name, base, folder, registry)
    say(path)
    say(
        "\nIt is the same experiment until you change a line. Next:\n\n"
        f"  ganfw check {path}\n"
        f"  ganfw show {path}\n"
        f"  ganfw run {path} --set run.max_steps=1000",
        err=True,
    )
