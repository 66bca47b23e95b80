"""Recipes that a part is tried in."""

from collections.abc import Mapping
from typing import Any

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


def recipe_using(offer: RegisteredPart, base: Recipe, parameters: Mapping[str, Any] | None = None) -> Recipe:
    """Return a recipe with one part exchanged for what a plugin offers.

    Args:
        offer: a part that is not a recipe; one of `registry.parts()`.
        base: the recipe that it goes into. An optimizer or a schedule is for both networks; in a table of several
            parts it takes the place of one of the same name, or is added.
        parameters: the part's keys; by default, all have their defaults.
    """
    table = next(table for table in TABLES if table.kind == offer.part.kind)
    part = {"use": offer.qualified_name, **(parameters or {})}
    names = _names(table, offer, base)
    changes: dict[str, Any] = {table.name: dict.fromkeys(names, part) if names else part}
    return Recipe(name=base.name, extends=base, **changes)


def address_of(offer: RegisteredPart, base: Recipe) -> str:
    """Return where `recipe_using` puts a part, dotted; the first place if there are two."""
    table = next(table for table in TABLES if table.kind == offer.part.kind)
    return ".".join([table.name, *_names(table, offer, base)[:1]])


def _names(table: Table, offer: RegisteredPart, base: Recipe) -> tuple[str, ...]:
    """Return the names that a part gets inside its table, none if it is the table."""
    if table.entries is None or table.entries:
        return table.entries or ()
    there = {**DEFAULT_TABLES.get(table.name, {}), **base.tables.get(table.name, {})}
    same = (name for name, other in there.items() if other.get("use") in (offer.part.name, offer.qualified_name))
    return (next(same, "checked"),)
