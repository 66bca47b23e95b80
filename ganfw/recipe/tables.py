"""Which tables a recipe has, and which kind of part each holds."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from attrs import frozen

FORMAT = 1
"""The version of the recipe format, written as `format = 1`."""


@frozen
class Table:
    """A table of parts.

    Attributes:
        name: the table's name: `"optimizer"`.
        kind: the kind of its parts.
        entries: None where the table is one part; else the names of the tables inside it, each a part, or `()`
            where the recipe chooses the names.
    """

    name: str
    kind: str
    entries: tuple[str, ...] | None = None

    def addresses(self, tables: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
        """Yield the path of each part that this table must or does hold."""
        if self.entries is None:
            yield (self.name,)
        else:
            given = tables.get(self.name, {})
            for entry in self.entries or (given if isinstance(given, dict) else ()):
                yield self.name, entry


TABLES = (
    Table("data", "data"),
    Table("noise", "noise"),
    Table("generator", "generator"),
    Table("discriminator", "discriminator"),
    Table("loss", "loss"),
    Table("step", "step"),
    Table("optimizer", "optimizer", ("generator", "discriminator")),
    Table("callbacks", "callback", ()),
)

DEFAULT_TABLES: Mapping[str, Any] = MappingProxyType(
    {
        "format": FORMAT,
        "callbacks": {
            "health": {"use": "health"},
            "progress": {"use": "progress"},
            "metrics": {"use": "metrics"},
            "checkpoint": {"use": "checkpoint"},
        },
    }
)
"""What every recipe starts from; `enabled = false` drops a callback."""
