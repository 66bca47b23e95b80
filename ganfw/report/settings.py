"""The settings of a run, read from its `recipe.toml`, and who chose each."""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from attrs import frozen

from ganfw.errors import RunError
from ganfw.files import read_bounded
from ganfw.recipe.layers import MAX_BYTES
from ganfw.recipe.origins import KeyPath, dotted
from ganfw.report.reading import text_of


@frozen
class Setting:
    """One key of a recipe.

    Attributes:
        table: the table that the key is in: `"optimizer.generator"`; empty for the recipe itself.
        name: the key within its table: `"lr"`.
        value: about as TOML writes it.
        origin: the comment that `recipe.toml` holds beside it: `"default"`, `"--set run.epochs=2"`, `"mine.toml:7"`.
    """

    table: str
    name: str
    value: str
    origin: str = ""

    @property
    def key(self) -> str:
        """The whole key: `"optimizer.generator.lr"`."""
        return f"{self.table}.{self.name}".removeprefix(".")

    @property
    def source(self) -> str:
        """Who chose the value: `"default"`, `"hand"` for an option or Python, or the recipe that says it."""
        origin = self.origin.partition(", from ")[0]
        if origin == "default":
            return "default"
        return "hand" if origin.startswith("--") or origin == "Python" else re.sub(r":\d+$", "", origin)


def read_settings(path: Path) -> tuple[Setting, ...]:
    """Read the settings of a run with any tables, in the order of the file.

    Raises:
        RunError: the file is missing or not TOML.
    """
    from tomlkit import parse

    content = read_bounded(path, MAX_BYTES)
    try:
        return tuple(_settings(parse(content.decode()), ()))
    except UnicodeDecodeError:
        raise RunError(f"{path}: not UTF-8") from None
    except Exception as error:  # the parser raises any exception for a damaged file
        raise RunError(f"{path}: not valid TOML: {text_of(str(error))}") from None


def _settings(table: Any, path: KeyPath) -> Iterator[Setting]:
    for key, item in table.body:
        if key is None:  # a comment or an empty line
            continue
        if hasattr(item, "is_table") and (item.is_table() or item.is_inline_table()):
            yield from _settings(item.value, (*path, key.key))
        else:
            value = json.dumps(item.unwrap(), ensure_ascii=False, default=str)
            origin = item.trivia.comment.removeprefix("#").strip()
            yield Setting(dotted(path), dotted((key.key,)), value, text_of(origin))


def by_source(settings: Sequence[Setting]) -> list[tuple[str, list[Setting]]]:
    """Put settings together by who chose them: by hand first, then each recipe, defaults last."""
    sources = dict.fromkeys(("hand", *(each.source for each in settings if each.source != "default"), "default"))
    found = [(source, [each for each in settings if each.source == source]) for source in sources]
    return [(source, members) for source, members in found if members]


def by_table(settings: Sequence[Setting]) -> list[tuple[str, list[Setting]]]:
    """Put neighbouring settings of one table of the recipe together."""
    return [(table, list(members)) for table, members in groupby(settings, lambda each: each.table)]
