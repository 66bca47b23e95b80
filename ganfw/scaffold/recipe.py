"""A recipe of your own, made from another one."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from ganfw.errors import InputError
from ganfw.plugins.registry import Registry
from ganfw.recipe.document import Recipe

_HEAD = """\
# What this experiment is to find out, in a sentence.
#
#   command   ganfw run {file}
#   short     ganfw run {file} --set run.max_steps=1000
#   expect    what a run shows, once you have seen one
#   takes     how long, and on what
#
# Everything is as in {base} until you say otherwise: remove the "# " before a line, and change the value.
# `ganfw show {file}` prints every key there is, `ganfw check {file}` finds every mistake.

extends = {extends}
"""


def write_recipe(name: str, base: str, folder: Path, registry: Registry) -> Path:
    """Write a recipe that extends another and shows, as comments, what that one says.

    Args:
        name: what the recipe is called, and its file without `.toml`.
        base: the path of a recipe, or the name of a registered one.
        folder: where the file is made.
        registry: where names are looked up.

    Returns:
        The file.

    Raises:
        InputError: the name is none for a recipe; the file is there already, or cannot be written.
        RecipeError: the base cannot be read.
        PartError: no recipe of that name is registered.
    """
    name = name.removesuffix(".toml")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise InputError(f"{name!r} is not a name for a recipe: write letters, digits, '_' and '-', such as my_gan")
    path = folder / f"{name}.toml"
    text = _text(Recipe.load(base, registry), path.name, base, folder)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError(f"{path} exists already, so nothing was written; choose another name") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
    return path


def _text(recipe: Recipe, file: str, base: str, folder: Path) -> str:
    from tomlkit import item

    is_path = base.endswith(".toml") or "/" in base or os.sep in base
    extends = Path(os.path.relpath(base, folder)).as_posix() if is_path else base
    head = _HEAD.format(file=file, base=recipe.name, extends=item(extends).as_string())
    return head + "".join(_commented(Recipe.of_layers(recipe.as_base(), recipe.name).to_toml()))


def _commented(text: str) -> Iterator[str]:
    """Yield the lines of all tables, their headers as they are and their keys as comments."""
    _, *tables = re.split(r"^(?=\[)", text, flags=re.MULTILINE)
    for table in tables:
        header, *keys = table.rstrip().splitlines()
        yield f"\n{header}\n"
        yield from (f"# {key}\n" for key in keys)
