"""Build the launcher that a sweep names."""

from typing import Any

from ganfw.errors import RecipeError, did_you_mean
from ganfw.plugins.registry import Registry
from ganfw.plugins.signature import show, with_article
from ganfw.protocols import Launcher
from ganfw.recipe.origins import Origin
from ganfw.sweep.definition import Sweep

LOCAL = "local"


def build_launcher(sweep: Sweep, registry: Registry, jobs: int | None = None) -> Launcher:
    """Check the table of the launcher and build it.

    Args:
        sweep: names it.
        registry: where it is found.
        jobs: trials at once, instead of what the table says.

    Raises:
        RecipeError: a key of the table is unknown, missing, of a wrong type or out of range.
        PartError: no launcher has the name.
    """
    table: dict[str, Any] = {"use": LOCAL, **sweep.launcher}
    origins = {key: sweep.origin("launcher", key) for key in table}
    if jobs is not None:
        table["jobs"], origins["jobs"] = jobs, Origin(f"--jobs {jobs}")
    use = table.pop("use")
    if not isinstance(use, str):
        raise RecipeError(origins["use"].complaint(f"'use' must name a launcher, not {show(use)}"))
    part = registry.find("launcher", use)
    keys = part.signature().keys
    problems = []
    for name, value in table.items():
        if name not in keys:
            hint = did_you_mean(name, keys) or f"see: ganfw parts launcher {use}"
            problems.append(origins[name].complaint(f"unknown key {show(name)} of launcher '{use}'") + f"\n  {hint}")
        elif complaint := keys[name].complaint(value):
            problems.append(origins[name].complaint(f"launcher.{name} {complaint}"))
    for name, key in keys.items():
        if key.required and name not in table:
            text = f"launcher '{use}' needs the key '{name}', {with_article(key.type_name)}"
            problems.append(sweep.origin("launcher").complaint(text))
    if problems:
        raise RecipeError("\n\n".join(problems))
    launcher: Launcher = part.build({}, table)
    return launcher
