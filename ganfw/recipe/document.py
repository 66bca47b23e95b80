"""The recipe as a value: loaded from TOML or written in Python, and written out again."""

import html
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from ganfw.errors import RecipeError
from ganfw.plugins.registry import Registry
from ganfw.plugins.signature import show
from ganfw.recipe.layers import Layers, parse_overrides, parse_recipe, read_recipe
from ganfw.recipe.origins import KeyPath, Origin, excerpt
from ganfw.recipe.tables import TABLES

COMMENT_COLUMN = 60
"""Comments begin here at the latest, so that one long value does not widen every line of its table."""


def check_name(owner: Any, _attribute: Any, name: Any) -> None:
    """Make sure that a file can be called by a recipe's name and a terminal can show it, or raise a RecipeError."""
    if not isinstance(name, str) or not re.fullmatch(r"[^/\\.][^/\\]*", name) or not name.isprintable():
        what = f"a recipe cannot be called {show(name)}, for its runs are named after it"
        origin = getattr(owner, "origins", {}).get(("name",))  # a recipe has origins; a manifest does not
        raise RecipeError(origin.complaint(what) if origin else what)


@frozen(init=False, repr=False)
class Recipe(Layers):
    """An experiment in words: which parts, with which parameters. Two recipes are equal when their tables are.

    Parts and parameters are checked when the recipe is resolved against a registry: see `ganfw.resolve`. Until then
    `--set data.folder=2024` is the number that TOML reads, in `tables` and in what is written.

    Attributes:
        tables: the tables as TOML gives them, after `extends` and overrides.
        origins: where each key was written.
        name: what runs of this recipe are called.
    """

    name: str = field(eq=False, kw_only=True, validator=check_name)

    def __init__(
        self,
        *,
        name: str = "experiment",
        extends: "str | os.PathLike[str] | Recipe | None" = None,
        registry: Registry | None = None,
        **tables: Any,
    ) -> None:
        """Write a recipe in Python.

        Args:
            name: what runs of this recipe are called; the base's name is not taken over.
            extends: a base: a recipe, the path of one, or the name of a registered one.
            registry: where names are looked up; by default, what `discover` finds.
            **tables: the tables, as a TOML file would hold them: `run={"epochs": 2}`.

        Raises:
            RecipeError: `extends` cannot be read, or nothing can be called by the name.
            PartError: no recipe of that name is registered.
        """
        base: Layers = Layers()
        if extends is not None:
            base = extends if isinstance(extends, Recipe) else read_recipe(os.fspath(extends), registry, Path())
        layers = base.as_base().with_layer(tables, lambda _: Origin("Python"))
        self.__attrs_init__(layers.tables, layers.origins, name=name)

    def __repr__(self) -> str:
        return f"Recipe({self.name!r}: {', '.join(self.tables)})"

    def _repr_html_(self) -> str:
        return f"<pre># {html.escape(self.name)}\n{html.escape(self.to_toml())}</pre>"

    @classmethod
    def of_layers(cls, layers: Layers, name: str) -> "Recipe":
        """Make a recipe of merged layers, keeping their origins; the name in them goes before `name`."""
        recipe = cls.__new__(cls)
        recipe.__attrs_init__(layers.tables, layers.origins, name=layers.tables.get("name", name))
        return recipe

    @classmethod
    def load(cls, source: str | os.PathLike[str], registry: Registry | None = None) -> "Recipe":
        """Load a recipe and all it extends; it is called as it says itself, or else as its file.

        Args:
            source: the path of a TOML file, or the name of a registered recipe: `"mnist_mlp"`.
            registry: where names are looked up; by default, what `discover` finds.

        Raises:
            RecipeError: a file is missing, unreadable or no TOML, or recipes extend each other in a circle.
            PartError: no recipe of that name is registered.
        """
        text = os.fspath(source)
        return cls.of_layers(read_recipe(text, registry, Path()), Path(text.rpartition(":")[2]).stem)

    @classmethod
    def parse(
        cls,
        text: str,
        *,
        name: str = "experiment",
        file: str = "recipe.toml",
        registry: Registry | None = None,
        alone: bool = False,
    ) -> "Recipe":
        """Read a recipe from TOML text.

        Args:
            text: the text.
            name: what runs of this recipe are called, if the text does not say it.
            file: how errors call the text.
            registry: where names are looked up; by default, what `discover` finds.
            alone: whether to refuse to read anything else, for a recipe from a stranger.

        Raises:
            RecipeError: the text is not TOML, or what it extends cannot be read.
            PartError: it extends a recipe that is not registered.
        """
        content = text.encode(errors="surrogatepass")
        return cls.of_layers(parse_recipe(content, file, registry, Path(), alone=alone), name)

    def with_overrides(self, overrides: Iterable[str]) -> "Recipe":
        """Return this recipe with options of the form `"generator.hidden_dim=256"` laid on top.

        Raises:
            RecipeError: an option has another form.
        """
        layer = parse_overrides(overrides)
        return Recipe.of_layers(self.with_layer(layer.tables, layer.origins.__getitem__), self.name)

    def to_toml(self, *, comments: Mapping[KeyPath, str] | None = None) -> str:
        """Write the recipe as TOML that loads to an equal recipe, with the comments of those keys that have one."""
        return "".join(_write_table(self.tables, (), comments or {})).lstrip("\n")


def _write_table(table: Mapping[str, Any], path: KeyPath, comments: Mapping[KeyPath, str]) -> Iterator[str]:
    """Yield a table's lines: its header, its values with their comments in a column, then the tables inside."""
    values = {name: value for name, value in table.items() if not isinstance(value, Mapping)}
    inner = {name: value for name, value in table.items() if isinstance(value, Mapping)}
    if path and (values or not inner):
        yield f"\n[{'.'.join(map(_write_key, path))}]\n"
    lines = {name: f"{_write_key(name)} = {_write_value(value)}" for name, value in values.items()}
    width = min(max(map(len, lines.values()), default=0), COMMENT_COLUMN)
    for name, line in lines.items():
        comment = excerpt(comments.get((*path, name), ""))
        yield f"{line:{width}}  # {comment}\n" if comment else f"{line}\n"
    order = ["run", *(table.name for table in TABLES)]
    for name in inner if path else sorted(inner, key=lambda name: order.index(name) if name in order else len(order)):
        yield from _write_table(inner[name], (*path, name), comments)


def _write_key(name: str) -> str:
    from tomlkit import key

    return _escape(key(name).as_string())


def _write_value(value: Any) -> str:
    """Write a value on one line; tables inside arrays are written inline."""
    from tomlkit import item

    if isinstance(value, Mapping):
        pairs = (f"{_write_key(name)} = {_write_value(inner)}" for name, inner in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_write_value, value))}]"
    return _escape(item(value).as_string())


def _escape(text: str) -> str:
    """Write what a terminal may obey as an escape of TOML's; it can only be in strings."""
    return "".join(
        character if character.isprintable() else f"\\U{ord(character):08x}".replace("\\U0000", "\\u")
        for character in text
    )
