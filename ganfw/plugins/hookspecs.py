"""The hooks that ganfw calls in plugins."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

from ganfw.plugins.part import Part

if TYPE_CHECKING:
    import click

hookspec = pluggy.HookspecMarker("ganfw")


@hookspec
def ganfw_parts() -> Iterable[Part]:  # type: ignore[empty-body]
    """Return the parts this plugin offers.

    Called once each time plugins are discovered, so it should import nothing but `ganfw`: a part's `target` is
    imported when a recipe uses it.
    """


@hookspec
def ganfw_commands(group: "click.Group") -> None:
    """Add verbs to the command line, with `@group.command()` or `group.add_command()`.

    Called for `ganfw --help` and for a verb that is not ganfw's own, of installed plugins only. Its module should
    import nothing but `ganfw` and `click`: import what a verb needs within the verb. A `GanfwError` that a verb raises
    is printed without a traceback, with exit status 2.

    A plugin that raises here, or whose verb exists already, adds no verb; a line on standard error says why. Where
    `GANFW_STRICT_PLUGINS` is `1` that is an error.

    Args:
        group: takes the plugin's verbs. It is empty: the verbs of others cannot be changed.
    """
