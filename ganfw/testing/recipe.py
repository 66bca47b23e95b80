"""Recipes that a part is tried in."""

from collections.abc import Mapping
from typing import Any

from ganfw.recipe.document import Recipe
from ganfw.recipe.tables import DEFAULT_TABLES, TABLES
from ganfw.registry import Offer, Registry


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


def recipe_using(offer: Offer, base: Recipe, parameters: Mapping[str, Any] | None = None) -> Recipe:
    """Return a recipe with one part exchanged for what a plugin offers.

    Args:
        offer: a part that is not a recipe; one of `registry.offers()`.
        base: the recipe that it goes into. An optimizer or a schedule is for both networks; in a table of several
            parts it takes the place of one of the same name, or is added.
        parameters: the part's keys; by default, all have their defaults.
    """
    holder = next(table for table in TABLES if table.kind == offer.part.kind)
    part = {"use": offer.qualified_name, **(parameters or {})}
    changes: dict[str, Any] = {}
    for path in _addresses(offer, base):
        changes[holder.name] = part if len(path) == 1 else {**changes.get(holder.name, {}), path[1]: part}
    return Recipe(name=base.name, extends=base, **changes)


def address_of(offer: Offer, base: Recipe) -> str:
    """Return where `recipe_using` puts a part, dotted; the first place if there are two."""
    return ".".join(_addresses(offer, base)[0])


def _addresses(offer: Offer, base: Recipe) -> list[tuple[str, ...]]:
    table = next(table for table in TABLES if table.kind == offer.part.kind)
    if table.entries is None:
        return [(table.name,)]
    if table.entries:
        return [(table.name, entry) for entry in table.entries]
    there = {**DEFAULT_TABLES.get(table.name, {}), **base.tables.get(table.name, {})}
    same = (name for name, other in there.items() if other.get("use") in (offer.part.name, offer.qualified_name))
    return [(table.name, next(same, "checked"))]
