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
        required: whether every recipe has it; what is not required can be dropped with `enabled = false`.
    """

    name: str
    kind: str
    entries: tuple[str, ...] | None = None
    required: bool = True

    def addresses(self, tables: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
        """Yield the path of each part that this table must or does hold."""
        if self.entries is None:
            if self.required or self.name in tables:
                yield (self.name,)
            return
        given = tables.get(self.name, {})
        if not isinstance(given, dict):
            given = {}
        for entry in self.entries or given:
            if self.required or entry in given:
                yield self.name, entry


TABLES = (
    Table("data", "data"),
    Table("noise", "noise"),
    Table("generator", "generator"),
    Table("discriminator", "discriminator"),
    Table("loss", "loss"),
    Table("regularizers", "regularizer", (), required=False),
    Table("augmentations", "augmentation", (), required=False),
    Table("step", "step"),
    Table("optimizer", "optimizer", ("generator", "discriminator")),
    Table("schedule", "schedule", ("generator", "discriminator"), required=False),
    Table("averaging", "averaging", required=False),
    Table("callbacks", "callback", (), required=False),
    Table("embedding", "embedding", required=False),
    Table("metrics", "metric", (), required=False),
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
        "embedding": {"use": "mnist_classifier"},
        "metrics": {
            "frechet_distance": {"use": "frechet_distance"},
            "kernel_distance": {"use": "kernel_distance"},
            "precision_recall": {"use": "precision_recall"},
            "density_coverage": {"use": "density_coverage"},
            "classifier_score": {"use": "classifier_score"},
            "nearest_neighbours": {"use": "nearest_neighbours"},
            "diversity": {"use": "diversity"},
        },
    }
)
"""What every recipe starts from; `enabled = false` drops a callback or a metric."""
