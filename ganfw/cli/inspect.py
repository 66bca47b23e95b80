"""`ganfw parts`, `ganfw plugins`, `ganfw recipes`: what is there, and from which package."""

import inspect
import json
import re
import textwrap
from collections.abc import Sequence
from typing import Any

import attrs
import click

from ganfw.cli.options import json_option, with_registry
from ganfw.errors import PartError
from ganfw.plugins.context import CONTEXT
from ganfw.plugins.part import KINDS
from ganfw.plugins.registry import RegisteredPart, Registry
from ganfw.plugins.signature import Key
from ganfw.recipe.tables import network_address
from ganfw.terminal import say, say_table, terminal_columns


@click.command()
@click.argument("kind", required=False)
@click.argument("name", required=False)
@json_option
@with_registry
def parts(kind: str | None, name: str | None, as_json: bool, registry: Registry) -> None:
    """List parts, or describe one.

    Without arguments, all parts; with KIND, those of one kind; with KIND NAME, one part with its recipe keys.
    """
    if kind is not None and name is not None:
        _describe(registry.find(kind, name), as_json)
    else:
        _list(registry, kind, as_json, with_kinds=True)


@click.command(short_help="List plugins, and the errors of those that failed.")
@json_option
@with_registry
def plugins(as_json: bool, registry: Registry) -> None:
    """List plugins: installed packages and scripts that bring parts, and those that failed to load."""
    if as_json:
        values = [
            attrs.asdict(plugin, recurse=False) | {"parts": [f"{part.kind} {part.name}" for part in plugin.parts]}
            for plugin in registry.plugins
        ]
        say(json.dumps(values, indent=2))
        return
    rows = [("plugin", "version", "parts", "status")]
    for plugin in registry.plugins:
        status = f"{plugin.status}: {plugin.reason}" if plugin.reason else plugin.status
        rows.append((plugin.distribution, plugin.version[:17], str(len(plugin.parts)), status))
    say_table(rows)


@click.command(short_help="List the recipes that can be run by name.")
@json_option
@with_registry
def recipes(as_json: bool, registry: Registry) -> None:
    """List the recipes that came with ganfw and with plugins; run one by its name."""
    _list(registry, "recipe", as_json, with_kinds=False)


def _list(registry: Registry, kind: str | None, as_json: bool, *, with_kinds: bool) -> None:
    """List the parts of one kind or of all, kind by kind."""
    kinds = registry.kinds() if kind is None else [registry.check_kind(kind)]
    if as_json:
        say(json.dumps([_values(part) for part in registry.parts(kind)], indent=2))
        return
    for each in kinds:
        rows = [_row(part, registry) for part in registry.parts(each)]
        if rows and with_kinds:
            say(f"{each}  {KINDS.get(each, 'not used by this version of ganfw')}", bold=True)
        say_table(rows)
    for plugin in registry.plugins:
        if plugin.status == "failed":
            say(f"\nplugin '{plugin.distribution}' failed: {plugin.reason}", err=True)


def _row(part: RegisteredPart, registry: Registry) -> Sequence[str]:
    """Return the row of a listing: the shortest name that means only this part, what it is, and where it is from."""
    same = [other for other in registry.parts(part.part.kind) if other.part.name == part.part.name]
    name = part.part.name if len(same) == 1 else part.qualified_name
    return name, part.part.help, part.plugin.distribution, part.plugin.version


def _values(part: RegisteredPart) -> dict[str, Any]:
    from_package = {"distribution": part.plugin.distribution, "version": part.plugin.version}
    return attrs.asdict(part.part) | from_package


def _describe(part: RegisteredPart, as_json: bool) -> None:
    """Describe one part; this imports it, for its signature is its schema."""
    if part.part.kind == "recipe":
        raise PartError(f"a recipe has no keys; see: ganfw show {part.part.name}")
    signature = part.signature()
    if as_json:
        keys = [_key(key) for key in signature.keys.values()]
        say(json.dumps({**_values(part), "context": signature.context, "keys": keys}, indent=2))
        return
    say(f"{part.part.kind} {part.part.name}  {part.part.help}", bold=True)
    say_table([("from", f"{part.plugin.distribution} {part.plugin.version}"), ("target", part.part.target)])
    if documentation := inspect.getdoc(part.load()):
        say(f"\n{wrapped(documentation, min(98, terminal_columns() or 98))}")
    if signature.context:
        say("\nContext arguments, given by ganfw")
        say_table([(name, CONTEXT.get(name, f"the network [{network_address(name)}]")) for name in signature.context])
    if signature.keys:
        say("\nKeys, set by a recipe")
        rows = [("key", "type", "default", "")]
        for key in signature.keys.values():
            default = "required" if key.required else "not set" if key.default is None else json.dumps(key.default)
            rows.append((key.name, key.type_name, default, key.help))
        say_table(rows)


def _key(key: Key) -> dict[str, Any]:
    default = None if key.required else key.default
    return {"name": key.name, "type": key.type_name, "required": key.required, "default": default, "help": key.help}


def wrapped(documentation: str, width: int) -> str:
    """Wrap the paragraphs of a docstring, and each entry of its sections by itself."""
    pieces = re.split(r"(\n\n+|\n(?= {4}\S))", documentation)
    for place, text in enumerate(pieces):
        indent = "  " + " " * (len(text) - len(text.lstrip(" ")))
        if not text.isspace():
            pieces[place] = textwrap.fill(
                " ".join(text.split()), width, initial_indent=indent, subsequent_indent=indent + indent[2:]
            )
    return "".join(pieces)
