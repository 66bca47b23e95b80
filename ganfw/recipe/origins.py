"""Where each key of a recipe came from: the file and line, an option, or a default."""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attrs import field, frozen

from ganfw.terminal import blank

KeyPath = tuple[str, ...]
"""The keys that lead to a value: `("optimizer", "generator", "lr")`."""


@frozen
class Origin:
    """Where a value was written.

    Attributes:
        label: `"recipes/mnist_mlp.toml:14"`, `"--set run.epochs=2"`, `"default"` or `"Python"`.
        text: the line as written, or `""`.
        right_side: the right side of an option, if TOML reads it as a number, a date or the like: `"2024"`. Where the
            key takes text, it is what was meant.
        distribution: the package whose recipe it is written in, or `""`. A part of its own is meant by a bare name.
    """

    label: str
    text: str = ""
    right_side: str | None = field(default=None, eq=False)
    distribution: str = field(default="", eq=False)

    def complaint(self, what: str) -> str:
        """Say what is wrong here: the place, what it is, and the line."""
        return f"{self.label}: {what}" + (f"\n    {self.text}" if self.text else "")


Locate = Callable[[KeyPath], Origin]

_STRING_OR_COMMENT = re.compile(
    r"""
      \"{3}(?:\\.|.)*?(?:\"{3,5}|\Z)
    | '{3}.*?(?:'{3,5}|\Z)
    | "(?:\\.|[^"\\\n])*+"?
    | '[^'\n]*+'?
    | \#[^\n]*+
    """,
    re.VERBOSE | re.DOTALL,
)


def blank_strings(text: str) -> str:
    """Return TOML text, valid or not, of the same length with every string and comment overwritten by letters."""
    return _STRING_OR_COMMENT.sub(lambda match: "s" * len(match[0]), text)


def locate_in(text: str, file: str) -> Locate:
    """Return a function that finds the origin of each key in a TOML text that parses."""
    lines = text.split("\n")
    found: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for line, statement in _statements(text):
        path, _ = innermost(tomllib.loads(statement))
        if statement.lstrip().startswith("["):
            table, path = path, ()
        for length in range(len(table) + len(path)):
            found.setdefault((table + path)[: length + 1], line)

    def locate(path: KeyPath) -> Origin:
        while path and path not in found:
            path = path[:-1]
        line = found.get(path, 1)
        return Origin(f"{file}:{line}", excerpt(lines[line - 1]))

    return locate


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield each statement of a valid TOML text with the number of its first line."""
    depth = start = 0
    line = 1
    for token in re.finditer(r"[\[\]{}\n]", blank_strings(text) + "\n"):
        depth += {"[": 1, "{": 1, "\n": 0}.get(token[0], -1)
        if token[0] == "\n" and depth == 0:
            statement = text[start : token.start()]
            yield line, statement
            line += statement.count("\n") + 1
            start = token.end()


def innermost(tables: Any) -> tuple[KeyPath, Any]:
    """Follow the only key of each table: the path that one TOML statement writes, and the value at its end."""
    path: KeyPath = ()
    while isinstance(tables, dict) and len(tables) == 1:
        key, tables = next(iter(tables.items()))
        path += (key,)
    return path, tables


def nested(path: KeyPath, value: Any) -> dict[str, Any]:
    """Return the tables that have a value at a path, and nothing else."""
    for name in reversed(path):
        value = {name: value}
    return dict(value)


def value_at(tables: Any, path: KeyPath) -> Any:
    """Return what tables have at a path, or None."""
    for name in path:
        tables = tables.get(name) if isinstance(tables, Mapping) else None
    return tables


def leaves(table: Mapping[str, Any], path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Yield each value in tables within tables, with the keys that lead to it; an empty table is one."""
    for key, value in table.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def dotted(path: KeyPath) -> str:
    """Write a path as recipes and messages do: `"optimizer.generator.lr"`."""
    return ".".join(name if is_bare(name) else repr(name) for name in path)


def is_bare(name: str) -> bool:
    """Whether a key needs no quotes in TOML."""
    return re.fullmatch(r"[A-Za-z0-9_-]+", name) is not None


def excerpt(line: str) -> str:
    """Show a line of a file in an error: trimmed, on one line, without characters that a terminal would obey."""
    line = blank(line.strip()[:201]).replace("\n", " ")
    return line if len(line) <= 200 else f"{line[:199]}…"
