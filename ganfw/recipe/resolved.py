"""A recipe in which every name is resolved: the value that experiments are built from."""

import html
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from ganfw.plugins.registry import RegisteredPart
from ganfw.plugins.signature import RESERVED_KEYS
from ganfw.recipe.document import Recipe
from ganfw.recipe.expectations import Expectation
from ganfw.recipe.layers import Layers
from ganfw.recipe.origins import nested, value_at
from ganfw.recipe.settings import RunSettings
from ganfw.recipe.tables import NETWORKS, own_keys, table_of


@frozen
class ResolvedRecipe:
    """A checked recipe with every default filled in, and the registered parts that its names mean.

    Attributes:
        recipe: the complete recipe; resolving it again gives the same.
        settings: its `[run]` table.
        parts: the registered part of each enabled table, by dotted address: `"optimizer.generator"`.
        expectations: what the recipe says of its results, by form: `"full"`, `"quick"`. They are not settings of a
            run, so the complete recipe leaves them out.
    """

    recipe: Recipe
    settings: RunSettings
    parts: Mapping[str, RegisteredPart] = field(repr=lambda parts: f"<{', '.join(parts)}>")
    expectations: Mapping[str, Expectation] = field(factory=dict, eq=False, repr=False)

    def _repr_html_(self) -> str:
        return f"<pre># {html.escape(self.recipe.name)}\n{html.escape(self.to_toml())}</pre>"

    def parameters(self, address: str) -> dict[str, Any]:
        """Return the parameters of the part at an address such as `"optimizer.generator"`."""
        skipped = {*RESERVED_KEYS, *own_keys(table_of(address))}
        return {name: value for name, value in self._table(address).items() if name not in skipped}

    def own_keys(self, address: str) -> dict[str, Any]:
        """Return the keys that the table at an address has besides those of its part, defaults filled in."""
        table = self._table(address)
        return {name: table.get(name, key.default) for name, key in own_keys(table_of(address)).items()}

    def names_in(self, table: str) -> list[str]:
        """Return the names of the enabled parts in a table of several: `["generator"]` of `"schedule"`."""
        return [address.partition(".")[2] for address in self.parts if address.startswith(f"{table}.")]

    def network_names(self) -> list[str]:
        """Return the names of the recipe's networks: `["generator", "discriminator", "encoder"]`."""
        return [*(name for name in NETWORKS if name in self.parts), *self.names_in("networks")]

    def networks_of(self, address: str) -> list[str]:
        """Return the names of the networks that an optimizer or an averaging is of."""
        return list(self.own_keys(address)["networks"] or [address.partition(".")[2]])

    def _table(self, address: str) -> dict[str, Any]:
        return dict(value_at(self.recipe.tables, tuple(address.split("."))))

    def qualified(self) -> Recipe:
        """Return the recipe with every part named as `"distribution:name"`, which no later plugin makes ambiguous."""
        layers = Layers(self.recipe.tables, self.recipe.origins)
        for address, part in self.parts.items():
            layer = nested(tuple(address.split(".")), {**self._table(address), "use": part.qualified_name})
            layers = layers.with_layer(layer, self.recipe.origins.__getitem__)
        return Recipe.of_layers(layers, self.recipe.name)

    def to_toml(self, *, qualified: bool = False) -> str:
        """Write the recipe as TOML, with the origin of every value as a comment.

        Args:
            qualified: name every part with its package, as `qualified` does.
        """
        comments = {path: origin.label for path, origin in self.recipe.origins.items()}
        for address, part in self.parts.items():
            path = (*address.split("."), "use")
            comments[path] = f"{comments[path]}, from {part.plugin.distribution} {part.plugin.version}"
        return (self.qualified() if qualified else self.recipe).to_toml(comments=comments)
