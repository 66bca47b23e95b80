"""Write docs/command-line.md from the `--help` of every command: `python docs/generate_command_line.py`."""

import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import click

from ganfw.cli import main

PAGE = Path(__file__).with_name("command-line.md")
WIDTH = 100

HEAD = """\
# The command line

Written by `python docs/generate_command_line.py` from the `--help` of every command.

Results go to standard output, everything else to standard error. The exit status is 0 when all went well, 2 for an
error that you can fix (the error says how), and 129, 130 or 143 when a terminal that closed (SIGHUP), Ctrl-C or
SIGTERM stopped a run. It is 1 where results could not be printed; those that go to files are written before.

Two environment variables act on every command: `GANFW_PLUGINS`, a list with commas, names the only installed plugins
to load (empty: none but the built-in one); `GANFW_STRICT_PLUGINS=1` makes a plugin that fails to load an error.
"""


def page() -> str:
    """Return the page as it should be."""
    with mock.patch.dict(os.environ, GANFW_PLUGINS=""):  # without the verbs of installed plugins
        return _page()


def _page() -> str:
    root = click.Context(main, info_name="ganfw", terminal_width=WIDTH, **main.context_settings)
    sections = [HEAD, _section(root)]
    sections.extend(_section(context) for context in _inner(root))
    return "\n".join(sections)


def _inner(parent: click.Context) -> Iterator[click.Context]:
    """Yield the context of each command below one that holds commands."""
    for name, command in parent.command.commands.items() if isinstance(parent.command, click.Group) else ():
        context = click.Context(command, parent=parent, info_name=name)
        yield context
        yield from _inner(context)


def _section(context: click.Context) -> str:
    return f"## {context.command_path}\n\n```text\n{context.get_help()}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
