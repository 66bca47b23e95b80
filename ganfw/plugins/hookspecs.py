"""The hooks that ganfw calls in plugins."""

from collections.abc import Iterable

import pluggy

from ganfw.plugins.part import Part

hookspec = pluggy.HookspecMarker("ganfw")


@hookspec
def ganfw_parts() -> Iterable[Part]:  # type: ignore[empty-body]
    """Return the parts this plugin offers.

    Called once each time plugins are discovered, so it should import nothing but `ganfw`: a part's `target` is
    imported when a recipe uses it.
    """
