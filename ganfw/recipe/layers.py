"""Lay one set of tables over another: a base recipe, the recipe that extends it, options of the command line."""

import copy
import importlib.resources
import os
import re
import stat
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from ganfw.errors import GanfwError, RecipeError
from ganfw.plugins.discovery import discover
from ganfw.plugins.registry import Registry, describe
from ganfw.plugins.signature import INTEGERS
from ganfw.recipe.origins import KeyPath, Locate, Origin, excerpt, locate_in

MAX_BYTES = 1 << 16
"""A recipe larger than this (64 KiB) is refused."""

MAX_DEPTH = 32
"""Tables and arrays nested deeper than this are refused."""

_TOO_DEEP = f"tables or arrays nested more than {MAX_DEPTH} deep"
_TOO_LONG = "an integer of more than 64 bits"

_STRING_OR_COMMENT = re.compile(
    r"""
      \"{3}(?:\\.|.)*?(?:\"{3}|\Z)
    | '{3}.*?(?:'{3}|\Z)
    | "(?:\\.|[^"\\\n])*+"?
    | '[^'\n]*+'?
    | \#[^\n]*+
    """,
    re.VERBOSE | re.DOTALL,
)
_LONG_KEY = re.compile(rf"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){{{MAX_DEPTH}}}")


class BareWord(str):
    """An unquoted right side of `--set`, which stands for a string only where the type is one."""

    __slots__ = ()


@frozen
class Layers:
    """Tables, and where each key in them was written."""

    tables: dict[str, Any] = field(factory=dict)
    origins: dict[KeyPath, Origin] = field(factory=dict)

    def with_layer(self, tables: Mapping[str, Any], locate: Locate) -> "Layers":
        """Lay `tables` on top: tables merge, all else replaces; a new `use` drops the old part's parameters."""
        merged = Layers(copy.deepcopy(self.tables), dict(self.origins))
        merged._lay(merged.tables, tables, locate, ())
        return merged

    def _lay(self, base: dict[str, Any], tables: Mapping[str, Any], locate: Locate, path: KeyPath) -> None:
        if "use" in base and tables.get("use", base["use"]) != base["use"]:
            base.clear()
        for key, value in tables.items():
            self.origins[(*path, key)] = locate((*path, key))
            if isinstance(value, Mapping):
                if not isinstance(base.get(key), dict):
                    base[key] = {}
                self._lay(base[key], value, locate, (*path, key))
            else:
                base[key] = copy.deepcopy(value)


def read_recipe(
    source: str, registry: Registry | None, folder: Path, below: tuple[str, ...] = (), *, alone: bool = False
) -> Layers:
    """Read a recipe and all it extends.

    Args:
        source: a path, relative to `folder`, or the name of a registered recipe.
        registry: where names are looked up; None to discover plugins when a name is met.
        folder: what relative paths start from.
        below: the files that led here through `extends`.
        alone: whether it may extend nothing.
    """
    if _is_path(source, folder):
        path = Path(os.path.normpath(folder / source))
        file, text = str(path), _decode(str(path), _read_file(path, special=not below))
    else:
        registry = registry or discover()
        offer = registry.find("recipe", source)
        package, _, name = offer.part.target.partition(":")
        try:
            resource = importlib.resources.files(package) / name
            content = resource.read_bytes()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # finding the file imports the package, which may raise anything
            raise RecipeError(f"{offer} cannot be read from '{offer.part.target}': {describe(error)}") from error
        path = Path(str(resource))
        file, text = offer.qualified_name, _decode(offer.qualified_name, content)
    if file in below:
        raise RecipeError(f"recipes extend each other in a circle: {' -> '.join([*below, file])}")
    return parse_recipe(text, file, registry, path.parent, (*below, file), alone=alone)


def parse_recipe(
    text: str,
    file: str,
    registry: Registry | None,
    folder: Path,
    below: tuple[str, ...] = (),
    *,
    alone: bool = False,
) -> Layers:
    """Read a recipe from TOML text that came from `file`, and all it extends, which is nothing if it is `alone`."""
    if len(text) > MAX_BYTES:
        raise _too_large(file)
    text = text.replace("\r\n", "\n")
    try:
        tables = _parse(text)
    except ValueError as error:
        raise RecipeError(_syntax_error(file, text, error)) from None
    locate = locate_in(text, file)
    for path in _long_integers(tables):
        at = locate(path)
        raise RecipeError(f"{at.label}: no valid TOML: {_TOO_LONG}\n    {at.text}")
    base = Layers()
    if "extends" in tables:
        extends = tables.pop("extends")
        at = locate(("extends",))
        if alone:
            raise RecipeError(f"{at.label}: extends is refused here\n    {at.text}")
        if not isinstance(extends, str):
            raise RecipeError(f"{at.label}: extends must be a string, a path or a recipe's name\n    {at.text}")
        try:
            base = read_recipe(extends, registry, folder, below)
        except GanfwError as error:
            raise type(error)(f"{error}\n  extended at {locate(('extends',)).label}") from error
    return base.with_layer(tables, locate)


def parse_overrides(overrides: Iterable[str]) -> Layers:
    """Read options of the form `table.key=value`; the right side is TOML, or a bare word.

    Raises:
        RecipeError: an option has another form.
    """
    layers = Layers()
    for override in overrides:
        key, equals, right = override.partition("=")
        option = f"--set {excerpt(override)}"
        try:
            tables = _parse(f"{key} = 0")
            if not equals or not tables or "\n" in key:
                raise ValueError(override)
        except ValueError:
            raise RecipeError(f"{option}: write it as table.key=value: --set generator.hidden_dim=256") from None
        path: list[str] = []
        while isinstance(tables, dict):
            name, tables = next(iter(tables.items()))
            path.append(name)
        value = _right_side(right.strip(), option)
        for name in reversed(path):
            value = {name: value}
        layers = layers.with_layer(value, lambda _path, option=option: Origin(option))
    return layers


def _right_side(right: str, option: str) -> Any:
    try:
        tables = _parse(f"value = {right}")
    except ValueError:
        if re.fullmatch(r"[\w./:~+-][\w./:~+ -]*", right):
            return BareWord(right)
        raise RecipeError(f"{option}: the right side is no TOML value; quote a string: '\"text\"'") from None
    if len(tables) != 1:
        raise RecipeError(f"{option}: the right side must be one value")
    if any(_long_integers(tables)):
        raise RecipeError(f"{option}: the right side is {_TOO_LONG}")
    return tables["value"]


def _is_path(source: str, folder: Path) -> bool:
    return source.endswith(".toml") or "/" in source or os.sep in source or _is_file(folder / source)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # the name is too long for a file
        return False


def _read_file(path: Path, *, special: bool) -> bytes:
    """Read a file, which may be a pipe or the like if it is `special`: one would wait for what comes out of it."""
    try:
        if not special and not stat.S_ISREG(path.stat().st_mode):
            raise RecipeError(f"{path}: no ordinary file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such recipe; see: ganfw recipes") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RecipeError(f"{path}: cannot be read: {reason}") from None
    if len(content) > MAX_BYTES:
        raise _too_large(str(path))
    return content


def _too_large(file: str) -> RecipeError:
    return RecipeError(f"{file}: larger than {MAX_BYTES} bytes, which is no recipe")


def _decode(file: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise RecipeError(f"{file}:{line}: no UTF-8 text, which TOML must be") from None


def _parse(text: str) -> dict[str, Any]:
    """Parse TOML that is nested no deeper than the functions here can follow.

    Raises:
        ValueError: the text is no TOML, or is nested deeper.
    """
    if _LONG_KEY.search(_STRING_OR_COMMENT.sub("s", text)):  # tomllib would take time by the square of its length
        raise ValueError(_TOO_DEEP)
    try:
        tables = tomllib.loads(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    except tomllib.TOMLDecodeError:
        raise
    except ValueError:  # Python reads no integer of thousands of digits
        raise ValueError(_TOO_LONG) from None
    _check_depth(tables, 0)
    return tables


def _check_depth(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ValueError(_TOO_DEEP)
    if isinstance(value, dict | list):
        for element in value.values() if isinstance(value, dict) else value:
            _check_depth(element, depth + 1)


def _long_integers(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Yield the path of each integer that TOML has no room for."""
    if isinstance(value, int) and value not in INTEGERS:
        yield path
    elif isinstance(value, dict):
        for key, element in value.items():
            yield from _long_integers(element, (*path, key))
    elif isinstance(value, list):
        for element in value:
            yield from _long_integers(element, path)


def _syntax_error(file: str, text: str, error: ValueError) -> str:
    """Say a TOML error with its line, which tomllib gives only inside its message."""
    message, _, place = str(error).rpartition(" (at ")
    if not message:
        return f"{file}: no valid TOML: {error}"
    lines = text.rstrip("\n").split("\n")
    at = re.match(r"line (\d+)", place)
    line = min(int(at.group(1)), len(lines)) if at else len(lines)
    offending = excerpt(lines[line - 1])
    return f"{file}:{line}: no valid TOML: {message[0].lower()}{message[1:]}" + (
        f"\n    {offending}" if offending else ""
    )
