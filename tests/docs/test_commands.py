"""Every command in the documentation exists."""

import shlex

import click
import pytest
from pages import commands

from ganfw.cli import main


def test_every_command_has_a_verb_and_options_that_exist() -> None:
    visited = list(commands())
    group = click.Context(main, info_name="ganfw", **main.context_settings)
    for name, words in visited:
        if words != ["--version"]:
            command, parent, rest = main.commands.get(words[0]), group, words[1:]
            if isinstance(command, click.Group):
                parent = click.Context(command, info_name=words[0], parent=group)
                command, rest = command.commands.get(words[1]), words[2:]
            assert command, f"{name}: ganfw {shlex.join(words)}"
            try:
                command.make_context(words[0], rest, parent=parent)
            except click.UsageError as error:
                pytest.fail(f"{name}: ganfw {shlex.join(words)}: {error}")
    assert len(visited) >= 20
