"""The settings of a run, read from its `recipe.toml`, and who chose each."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from ganfw.errors import GanfwError, RunError
from ganfw.files import read_bounded
from ganfw.recipe.document import Recipe
from ganfw.recipe.layers import MAX_BYTES
from ganfw.recipe.origins import KeyPath, dotted, excerpt

_COMMENT = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'[^']*'|[^"'#])*#\s*(.*)""")
"""A line of TOML up to its comment, whose text is the group."""


@frozen
class Setting:
    """One key of a recipe.

    Attributes:
        key: `"optimizer.generator.lr"`.
        value: as TOML writes it.
        origin: the comment that `recipe.toml` holds beside it: `"default"`, `"--set run.epochs=2"`, `"mine.toml:7"`.
    """

    key: str
    value: str
    origin: str = ""

    @property
    def table(self) -> str:
        """The table that the key is in: `"optimizer.generator"`."""
        return self.key.rpartition(".")[0]

    @property
    def name(self) -> str:
        """The key within its table: `"lr"`."""
        return self.key.rpartition(".")[2]

    @property
    def source(self) -> str:
        """Who chose the value: `"default"`, `"hand"` for an option or Python, or the recipe that says it."""
        origin = self.origin.partition(", from ")[0]
        if origin == "default":
            return "default"
        if origin.startswith("--") or origin == "Python":
            return "hand"
        return re.sub(r":\d+$", "", origin)


def read_settings(path: Path) -> tuple[Setting, ...]:
    """Read the settings of a run, in the order of the file.

    Raises:
        RunError: the file is missing or no recipe.
    """
    content = read_bounded(path, MAX_BYTES)
    try:
        text = content.decode()
        recipe = Recipe.parse(text, file=str(path), alone=True)
    except UnicodeDecodeError:
        raise RunError(f"{path}: no UTF-8") from None
    except GanfwError as error:
        raise RunError(str(error).splitlines()[0]) from None
    lines = text.split("\n")

    def origin(key: KeyPath) -> str:
        number = recipe.origins[key].label.rpartition(":")[2] if key in recipe.origins else ""
        found = _COMMENT.match(lines[int(number) - 1]) if number.isdecimal() else None
        return excerpt(found.group(1)) if found else ""

    return tuple(Setting(dotted(key), _written(value), origin(key)) for key, value in _values(recipe.tables, ()))


def _values(table: Mapping[str, Any], path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _values(value, (*path, name))
        else:
            yield (*path, name), value


def _written(value: Any) -> str:
    """Write a value about as TOML does."""
    return json.dumps(value, ensure_ascii=False, default=str)
