"""Which tables a recipe has, which kind of part each holds, and the keys that are the table's own."""

import functools
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any

from annotated_types import Gt
from attrs import frozen

from ganfw.plugins.signature import Key, read_signature

FORMAT = 1
"""The version of the recipe format, written as `format = 1`."""

_Networks = Annotated[list[str] | None, "the networks it is of; by default the one of its own name"]


def network_keys(
    *,
    frozen: Annotated[bool, "leave its weights as they are: no optimizer holds them"] = False,
    init: Annotated[str | None, "weights to start from: a run, a checkpoint or a .safetensors file"] = None,
    init_partial: Annotated[bool, "take the weights that fit, and leave the others as they are built"] = False,
) -> None:
    """Keys of a network's table that every network has."""


def optimizer_keys(
    *,
    networks: _Networks = None,
    clip_norm: Annotated[Annotated[float, Gt(0)] | None, "the largest norm of the gradient it steps on"] = None,
) -> None:
    """Keys of an optimizer's table that every optimizer has."""


def averaging_keys(*, networks: _Networks = None) -> None:
    """Keys of an averaging's table that every averaging has."""


def no_keys() -> None:
    """Most tables have no keys of their own."""


@frozen
class Table:
    """A table of parts.

    A table that holds one part is singular, and so is one whose entries are of what they are named after
    (`optimizer.generator`); a table of parts that the recipe names is plural (`callbacks.samples`).

    Attributes:
        name: the table's name: `"optimizer"`.
        kind: the kind of its parts.
        named: whether it holds parts by name; else it is one part itself.
        required: whether every recipe has it. Which others a recipe needs depends on what its parts ask for.
        own_keys: its signature is the schema of the keys that the table has besides those of its part.
    """

    name: str
    kind: str
    named: bool = False
    required: bool = False
    own_keys: Callable[..., None] = no_keys

    def addresses(self, tables: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
        """Yield the path of each part that this table must or does hold."""
        if self.named:
            given = tables.get(self.name, {})
            yield from ((self.name, entry) for entry in (given if isinstance(given, dict) else ()))
        elif self.required or self.name in tables:
            yield (self.name,)


TABLES = (
    Table("data", "data", required=True),
    Table("noise", "noise"),
    Table("generator", "generator", own_keys=network_keys),
    Table("discriminator", "discriminator", own_keys=network_keys),
    Table("networks", "network", named=True, own_keys=network_keys),
    Table("loss", "loss"),
    Table("regularizers", "regularizer", named=True),
    Table("augmentations", "augmentation", named=True),
    Table("step", "step", required=True),
    Table("optimizer", "optimizer", named=True, own_keys=optimizer_keys),
    Table("schedule", "schedule", named=True),
    Table("averaging", "averaging", named=True, own_keys=averaging_keys),
    Table("sampler", "sampler"),
    Table("callbacks", "callback", named=True),
    Table("embedding", "embedding"),
    Table("metrics", "metric", named=True),
)

NETWORKS = ("generator", "discriminator")
"""The networks that have a table of their own; every other network is in `[networks.NAME]`."""

_METRICS = (
    "frechet_distance",
    "kernel_distance",
    "precision_recall",
    "density_coverage",
    "nearest_neighbours",
    "diversity",
)
DEFAULT_TABLES: Mapping[str, Any] = MappingProxyType(
    {
        "format": FORMAT,
        "callbacks": {name: {"use": name} for name in ("health", "progress", "metrics", "checkpoint")},
        "metrics": {name: {"use": name} for name in _METRICS},
    }
)
"""What every recipe starts from; `enabled = false` drops a callback or a metric."""


def table_of(address: str) -> Table:
    """Return the table that a part at an address such as `"optimizer.generator"` is in."""
    return next(table for table in TABLES if table.name == address.partition(".")[0])


def network_address(name: str) -> str:
    """Return where a recipe has the network of this name: `"generator"`, `"networks.encoder"`."""
    return name if name in NETWORKS else f"networks.{name}"


@functools.cache
def own_keys(table: Table) -> Mapping[str, Key]:
    """Return the keys that a table has besides those of its part."""
    return read_signature(table.own_keys, f"[{table.name}]").keys
