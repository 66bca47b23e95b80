"""The pages of the site that follow from the code: commands, parts, recipes, the Python API, and the plugins' READMEs.

A hook of MkDocs: `mkdocs serve` shows the site, `mkdocs build` writes it to site/. Parts of packages in plugins/ have
their keys on the pages where they are installed.
"""

import ast
import inspect
import json
import logging
import os
import posixpath
import pydoc
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import ganfw
import ganfw.testing
from ganfw.cli import main
from ganfw.plugins.context import CONTEXT
from ganfw.plugins.part import KINDS
from ganfw.plugins.registry import RegisteredPart
from ganfw.recipe.tables import network_address

ROOT = Path(__file__).parents[1]
log = logging.getLogger("mkdocs.hooks")
ROOMS = {
    "recipe": "Recipes",
    "plugins": "Parts and plugins",
    "run": "Runs and checkpoints",
    "notebook": "Notebooks and scripts",
    "training": "Training",
    "engine": "Networks, updates and samples",
    "protocols": "What parts must do",
    "data": "Data",
    "evaluation": "Evaluation",
    "ledger": "Many runs",
    "images": "Pictures",
    "display": "Display",
    "terminal": "The terminal",
    "files": "Files",
    "errors": "Errors",
    "testing": "Checks for authors of parts",
}
"""The title of the page about the public names of each room or module, in the order of the list."""


@event_priority(100)  # before the plugins that read the navigation
def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages to those in docs/."""
    with mock.patch.dict(os.environ, GANFW_PLUGINS=""):  # without the verbs of installed plugins
        pages = dict(command_pages())
    for make in (part_pages, recipe_pages, python_pages, plugin_pages):
        pages.update(make())
    pages["changelog.md"] = moved(ROOT / "CHANGELOG.md", "changelog.md")
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead the links of notebooks to pages, as MkDocs does with those of Markdown."""

    def link(match: re.Match[str]) -> str:
        target = files.get_file_from_path(posixpath.normpath(posixpath.join(posixpath.dirname(uri), match[1])))
        if target is None:
            log.warning("%s contains a link to '%s', which is not a page", uri, match[1])
            return match[0]
        return f'href="{target.url_relative_to(page.file)}{match[2] or ""}"'

    uri = page.file.src_uri
    return re.sub(r'href="([^":]+\.(?:md|ipynb))(#[^"]*)?"', link, html) if uri.endswith(".ipynb") else html


# Commands


def command_pages() -> Iterator[tuple[str, str]]:
    """Yield a page for each verb, with what its `--help` prints."""
    root = click.Context(main, info_name="ganfw", **main.context_settings)
    yield "reference/command-line/index.md", f"{COMMAND_LINE}\n{_help(root)}"
    for name, command in main.commands.items():
        context = click.Context(command, parent=root, info_name=name)
        text = f"# `ganfw {name}`\n\n{_help(context)}"
        for inner, below in command.commands.items() if isinstance(command, click.Group) else ():
            text += f"\n## `ganfw {name} {inner}`\n\n{_help(click.Context(below, parent=context, info_name=inner))}"
        yield f"reference/command-line/{name}.md", text


COMMAND_LINE = """\
# Command line

Each verb has a page with what its `--help` prints.

Results go to standard output, everything else to standard error. The exit status is

- 0 if all went well;
- 2 for an error that you can fix (the error says how);
- 129, 130 or 143 if a terminal that closed (SIGHUP), Ctrl-C or SIGTERM stopped a run;
- 1 if results could not be printed. Those that go to files are written before.

Two environment variables act on every command. `GANFW_PLUGINS` is a list, separated by commas, of the only installed
plugins to load. If it is empty, only the built-in one is loaded. With `GANFW_STRICT_PLUGINS=1`, a plugin that fails to
load is an error.
"""


def _help(context: click.Context) -> str:
    """Return the usage, the text and the options of a command."""
    paragraphs = inspect.cleandoc(context.command.help or "").partition("\f")[0].split("\n\n")
    text = [f"```text\n{context.command.get_usage(context)}\n```"]
    text += [f"```text\n{part[2:]}\n```" if part.startswith("\b\n") else part for part in paragraphs]
    for title, rows in _options(context).items():
        cells = "\n".join(f"| `{name}` | {_cell(what)} |" for name, what in rows)
        text.append(f"| {title} | what |\n|---|---|\n{cells}")
    return "\n\n".join(text) + "\n"


def _options(context: click.Context) -> dict[str, list[tuple[str, str]]]:
    options = [each for each in context.command.get_params(context) if isinstance(each, click.Option)]
    tables = {"option": [record for each in options if (record := each.get_help_record(context))]}
    if isinstance(context.command, click.Group):
        group = context.command
        tables = {"command": [(name, each.get_short_help_str(100)) for name, each in group.commands.items()], **tables}
    return tables


# Parts and recipes


def part_pages() -> Iterator[tuple[str, str]]:
    """Yield a page for each kind of part, with the keys of each part as its signature has them."""
    registry = ganfw.discover()
    for kind, what in KINDS.items():
        if kind != "recipe":
            parts = "\n".join(_part(part) for part in registry.parts(kind))
            yield f"reference/parts/{kind}.md", f"# {kind}\n\nParts of kind `{kind}`: {what}.\n\n{parts}"


def _part(part: RegisteredPart) -> str:
    signature = part.signature()
    text = f"## {part.part.name}\n\n*{part.part.help}* — from `{part.plugin.distribution}`\n\n"
    text += f"{_prose(inspect.getdoc(part.load()) or '')}\n\n"
    if signature.context:
        given = (
            f"`{name}`" if name in CONTEXT else f"the network `[{network_address(name)}]`" for name in signature.context
        )
        text += f"Given by ganfw: {', '.join(given)}.\n\n"
    if signature.keys:
        text += "| key | type | default | what |\n|---|---|---|---|\n"
        for key in signature.keys.values():
            default = "required" if key.required else "" if key.default is None else f"`{json.dumps(key.default)}`"
            text += f"| `{key.name}` | {_cell(key.type_name)} | {default} | {_cell(key.help)} |\n"
    return text


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _prose(docstring: str) -> str:
    """Return a docstring in the style of Google as Markdown: sections become lists."""
    text = re.sub(r"^(Args|Attributes|Raises|Returns|Yields):$", r"**\1**\n", docstring, flags=re.MULTILINE)
    return re.sub(r"^    (\w+): ", r"- `\1`: ", text, flags=re.MULTILINE)


def recipe_pages() -> Iterator[tuple[str, str]]:
    """Yield the page of the recipes that come with ganfw."""
    text = "# Recipes that come with ganfw\n\nRun one by its name: `ganfw run mnist_mlp`.\n"
    for path in sorted((ROOT / "recipes").glob("*.toml")):
        text += f"\n## {path.stem}\n\n```toml\n{path.read_text(encoding='utf-8')}```\n"
    yield "reference/recipes.md", text


# The Python API


def python_pages() -> Iterator[tuple[str, str]]:
    """Yield a page for each room that has public names, and the list of all of them."""
    names: dict[str, list[str]] = {room: [] for room in ROOMS}
    for node in ast.parse((ROOT / "ganfw" / "__init__.pyi").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            names[node.module.partition(".")[0]].extend(f"ganfw.{alias.name}" for alias in node.names)
    names["testing"] = [f"ganfw.testing.{name}" for name in ganfw.testing.__all__]
    index = PYTHON
    for room, title in ROOMS.items():
        rows = "".join(
            f"| [`{name.rpartition('.')[2]}`]({room}.md#{name}) | {_summary(name)} |\n" for name in names[room]
        )
        index += f"\n## [{title}]({room}.md)\n\n| name | what |\n|---|---|\n{rows}"
        yield f"reference/python/{room}.md", "\n\n".join([f"# {title}", *(f"::: {name}" for name in names[room])])
    yield "reference/python/index.md", index


PYTHON = """\
# Python API

All public names are in `ganfw` itself, `from ganfw import Recipe`, and in `ganfw.testing`.
"""


def _summary(name: str) -> str:
    return _cell((inspect.getdoc(pydoc.locate(name)) or "").partition("\n\n")[0].replace("\n", " "))


# Files from outside docs/


def plugin_pages() -> Iterator[tuple[str, str]]:
    """Yield the READMEs of the packages in plugins/, and the list of them."""
    rows = ""
    for readme in sorted((ROOT / "plugins").glob("*/README.md")):
        path = f"plugins/{readme.parent.name}.md"
        yield path, moved(readme, path)
        project = tomllib.loads(readme.with_name("pyproject.toml").read_text(encoding="utf-8"))["project"]
        rows += f"| [{project['name']}]({readme.parent.name}.md) | {_cell(project['description'])} |\n"
    yield "plugins/index.md", f"{PLUGINS}\n| package | what |\n|---|---|\n{rows}"


PLUGINS = """\
# Plugins

These packages are in the folder `plugins/` of the repository. In the clone, `pip install plugins/ganfw-conv` installs
one. Recipes can then name its parts, without an import.
"""


def moved(source: Path, to: str) -> str:
    """Return the text of a page with its links as they are from another place, `to`, in the site."""

    def link(match: re.Match[str]) -> str:
        target = (source.parent / match[1]).resolve().relative_to(ROOT).as_posix()
        target = re.sub(r"^plugins/([\w-]+)(/README\.md)?$", r"plugins/\1.md", target.removeprefix("docs/"))
        return f"]({posixpath.relpath(target, posixpath.dirname(to))}"

    return re.sub(r"\]\((?![a-z]+:|#)([^)#\s]+)", link, source.read_text(encoding="utf-8"))
