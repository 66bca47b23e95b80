"""Recipes that a part is tried in."""

from collections.abc import Mapping
from typing import Any

from ganfw.errors import PluginError
from ganfw.plugins.registry import RegisteredPart, Registry
from ganfw.recipe.document import Recipe
from ganfw.recipe.tables import DEFAULT_TABLES, TABLES, Table


def small_recipe(registry: Registry) -> Recipe:
    """Return a recipe that trains for ten steps in less than a second: small networks on MNIST's test images."""
    return Recipe(
        name="small",
        extends="mnist_mlp",
        registry=registry,
        run={"batch_size": 32, "log_every_steps": 4, "max_steps": 10, "device": "cpu"},
        data={"split": "test"},
        generator={"hidden_dim": 4},
        discriminator={"hidden_dim": 4},
        callbacks={"samples": {"every_steps": 5}, "checkpoint": {"every_steps": 6}},
    )


def recipe_using(registered: RegisteredPart, base: Recipe, parameters: Mapping[str, Any] | None = None) -> Recipe:
    """Return a recipe with one part exchanged for what a plugin offers.

    Args:
        registered: a part that is not a recipe; one of `registry.parts()`.
        base: the recipe that it goes into. In a table of several parts it takes the place of one of the same name,
            or is added. An optimizer takes the place of all optimizers, and a schedule is for all of them; an
            averaging, or a network, takes the place of the first one. What an optimizer or an averaging is of, and
            whether a network is frozen, stays as it is.
        parameters: the part's keys; by default, all have their defaults.

    Raises:
        PluginError: the base has no place for the part.
    """
    table, part = _table(registered), {"use": registered.qualified_name, **(parameters or {})}
    changes: dict[str, Any] = {table.name: dict.fromkeys(_names(table, registered, base), part) or part}
    return Recipe(name=base.name, extends=base, **changes)


def address_of(registered: RegisteredPart, base: Recipe) -> str:
    """Return where `recipe_using` puts a part, dotted; the first place if there are several."""
    table = _table(registered)
    return ".".join([table.name, *_names(table, registered, base)[:1]])


def _table(registered: RegisteredPart) -> Table:
    return next(table for table in TABLES if table.kind == registered.part.kind)


def _names(table: Table, registered: RegisteredPart, base: Recipe) -> list[str]:
    """Return the names that a part gets inside its table, none if it is the table."""
    if not table.named:
        return []
    if table.name in ("optimizer", "schedule"):
        return list(base.tables.get("optimizer", {}))
    there = {**DEFAULT_TABLES.get(table.name, {}), **base.tables.get(table.name, {})}
    same = [
        name for name, each in there.items() if each.get("use") in (registered.part.name, registered.qualified_name)
    ]
    match table.name:
        case "networks" if not there:
            raise PluginError(
                f"{registered}: the base recipe has no [networks.NAME] to try it as; give one that has: "
                f'checks_of(…, bases={{"network {registered.part.name}": recipe}})'
            )
        case "networks":
            return [*same, *there][:1]
        case "averaging":
            return [*same, *there, "generator"][:1]
    return [*same, "checked"][:1]
