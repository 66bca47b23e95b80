"""Lay one set of tables over another: a base recipe, the recipe that extends it, options of the command line."""

import copy
import functools
import importlib.resources
import os
import re
import stat
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from ganfw.errors import GanfwError, RecipeError
from ganfw.plugins.discovery import discover
from ganfw.plugins.registry import Registry, describe
from ganfw.plugins.side_effects import loading
from ganfw.plugins.signature import INTEGERS
from ganfw.recipe.origins import KeyPath, Locate, Origin, blank_strings, excerpt, innermost, locate_in, nested
from ganfw.recipe.tables import TABLES, own_keys

MAX_BYTES = 1 << 16
"""A recipe larger than this (64 KiB) is refused."""

MAX_DEPTH = 32
"""Tables and arrays nested deeper than this are refused."""

NOT_INHERITED = ("name", "expect")
"""Keys that a recipe does not get from the one that it extends."""

_TOO_LONG = "an integer of more than 64 bits"
_LONG_KEY = re.compile(rf"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){{{MAX_DEPTH}}}")


@frozen
class Layers:
    """Tables, and where each key in them was written."""

    tables: dict[str, Any] = field(factory=dict)
    origins: dict[KeyPath, Origin] = field(factory=dict, eq=False, repr=False)

    def with_layer(self, tables: Mapping[str, Any], locate: Locate) -> "Layers":
        """Lay `tables` on top: tables merge, all else replaces; a new `use` drops the old part's parameters.

        The table's own keys stay, such as the networks that an optimizer is of.
        """
        merged = Layers(copy.deepcopy(self.tables), dict(self.origins))
        merged._lay(merged.tables, tables, locate, ())
        return merged

    def as_base(self) -> "Layers":
        """Leave out what is true only of the recipe that says it: its name, and the results that it expects."""
        return Layers({key: value for key, value in self.tables.items() if key not in NOT_INHERITED}, self.origins)

    def _lay(self, base: dict[str, Any], tables: Mapping[str, Any], locate: Locate, path: KeyPath) -> None:
        if "use" in base and tables.get("use", base["use"]) != base["use"]:
            kept = next((own_keys(table) for table in TABLES if path[:1] == (table.name,)), {})
            for key in base.keys() - kept.keys():
                del base[key]
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
        file, content, distribution = str(path), _read_file(path, special=not below), ""
    else:
        registry = registry or discover()
        found = registry.find("recipe", source)
        package, _, name = found.part.target.partition(":")
        where = f"{found} cannot be read from '{found.part.target}'"
        with loading(str(found), lambda error: RecipeError(f"{where}: {describe(error)}")):  # it imports the package
            resource = importlib.resources.files(package) / name
            content = resource.read_bytes()
        path, file, distribution = Path(str(resource)), found.qualified_name, found.plugin.distribution
    if file in below:
        raise RecipeError(f"recipes extend each other in a circle; remove one extends: {' -> '.join([*below, file])}")
    layers = parse_recipe(content, file, registry, path.parent, (*below, file), alone=alone)
    for at, origin in layers.origins.items() if distribution else ():
        if origin.label.startswith(f"{file}:"):
            layers.origins[at] = evolve(origin, distribution=distribution)
    return layers


def parse_recipe(
    toml: bytes, file: str, registry: Registry | None, folder: Path, below: tuple[str, ...] = (), *, alone: bool = False
) -> Layers:
    """Read a recipe from TOML that came from `file`, and all it extends, which is nothing with `alone`."""
    if len(toml) > MAX_BYTES:
        raise RecipeError(f"{file}: too large for a recipe, which must be at most {MAX_BYTES} bytes")
    try:
        text = toml.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = toml[: error.start].count(b"\n") + 1
        raise RecipeError(f"{file}:{line}: no UTF-8 text, which TOML must be") from None
    tables, locate, base = _parse(text, file), locate_in(text, file), Layers()
    if "extends" in tables:
        extends, at = tables.pop("extends"), locate(("extends",))
        if alone:
            raise RecipeError(at.complaint("extends is not allowed here; write the whole recipe"))
        if not isinstance(extends, str):
            raise RecipeError(at.complaint("extends must be a string, a path or a recipe's name"))
        try:
            base = read_recipe(extends, registry, folder, below).as_base()
        except GanfwError as error:
            raise type(error)(f"{error}\n  extended at {at.label}") from error
    return base.with_layer(tables, locate)


def parse_overrides(overrides: Iterable[str]) -> Layers:
    """Read options of the form `table.key=value`, or raise a RecipeError; the right side is TOML, or text if it is not.

    What TOML reads as a number, a date or the like may be meant as text: its origin keeps it as it was written.
    """
    return functools.reduce(_with_override, overrides, Layers())


def _with_override(layers: Layers, override: str) -> Layers:
    key, equals, right = (part.strip() for part in override.partition("="))
    option = f"--set {excerpt(override)}"
    if override != override.encode(errors="ignore").decode():  # Python passes on any bytes of an argument
        raise RecipeError(f"{option}: no UTF-8 text, which TOML must be")
    path, _ = innermost(_parse_or_nothing(f"{key} = 0"))
    if not equals or not path or "\n" in key:
        raise RecipeError(f"{option}: write it as table.key=value: --set generator.hidden_dim=256")
    tables = _parse_or_nothing(f"value = {right}")
    value: Any = tables["value"] if len(tables) == 1 else right
    text = None if isinstance(value, str | list | dict) else right
    if path == ("name",):
        value = text or value
    layers = layers.with_layer(nested(path, value), lambda _: Origin(option))
    layers.origins[path] = Origin(option, right_side=text)
    return layers


def _parse_or_nothing(text: str) -> dict[str, Any]:
    try:
        return _parse(text)
    except RecipeError:
        return {}


def _is_path(source: str, folder: Path) -> bool:
    try:
        return source.endswith(".toml") or "/" in source or os.sep in source or (folder / source).is_file()
    except OSError:  # the name is too long for a file
        return False


def _read_file(path: Path, *, special: bool) -> bytes:
    """Read a file, which may be a pipe or the like if it is `special`: one would wait for what comes out of it."""
    try:
        if not special and not stat.S_ISREG(path.stat().st_mode):
            raise RecipeError(f"{path}: not an ordinary file; name a .toml file")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such recipe; see: ganfw recipes") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RecipeError(f"{path}: cannot be read: {reason}") from None


def _parse(text: str, file: str = "") -> dict[str, Any]:
    """Parse TOML; a RecipeError where it is invalid, nested too deep, or has an integer of more than 64 bits."""
    try:
        if _LONG_KEY.search(blank_strings(text)):  # tomllib would take time by the square of its length
            raise RecursionError
        tables = tomllib.loads(text)
        too_long = [path for path, value in _values(tables) if isinstance(value, int) and value not in INTEGERS]
    except RecursionError:
        raise RecipeError(f"{file}: not valid TOML: tables or arrays nested more than {MAX_DEPTH} deep") from None
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(_syntax_error(text, file, str(error))) from None
    except ValueError:  # Python reads no integer of thousands of digits
        raise RecipeError(f"{file}: not valid TOML: {_TOO_LONG}") from None
    if too_long:
        raise RecipeError(locate_in(text, file)(too_long[0]).complaint(f"not valid TOML: {_TOO_LONG}"))
    return tables


def _values(value: Any, path: KeyPath = (), depth: int = 0) -> Iterator[tuple[KeyPath, Any]]:
    """Yield each value in tables and arrays with the keys that lead to it; a RecursionError where nested too deep."""
    if depth > MAX_DEPTH:
        raise RecursionError
    yield path, value
    if isinstance(value, dict):
        for key, element in value.items():
            yield from _values(element, (*path, key), depth + 1)
    elif isinstance(value, list):
        for element in value:
            yield from _values(element, path, depth + 1)


def _syntax_error(text: str, file: str, error: str) -> str:
    """Say an error of tomllib's with its line, which is given only inside its message."""
    message, _, place = error.rpartition(" (at ")
    lines = text.rstrip("\n").split("\n")
    line = min(int(re.sub(r"\D*(\d*).*", r"\1", place) or len(lines)), len(lines))
    origin = Origin(f"{file}:{line}", excerpt(lines[line - 1]))
    return origin.complaint(f"not valid TOML: {message[0].lower()}{message[1:]}")
