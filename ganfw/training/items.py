"""The items of a torch data set: drawn from seeds of their own, loaded by workers, and put together to batches."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence, Sized
from typing import Any, cast

import numpy as np
import torch
from attrs import define, field, frozen
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ganfw.data import form
from ganfw.engine.random_streams import derive_seed, own_randomness
from ganfw.errors import DataError
from ganfw.plugins.discovery import LoadedScripts

Entries = dict[str, Tensor]
"""What a batch takes from the data, by name: `samples`, perhaps `labels`, and further entries."""

_DTYPES = {"samples": (torch.uint8, torch.float32), "labels": (torch.int64, torch.float32)}
_FURTHER_DTYPES = (torch.uint8, torch.int64, torch.float32)


@frozen(eq=False)
class SeededItems(Dataset[Any]):
    """A data set whose items, random transforms included, are a function of only seed, epoch and index.

    In a worker that starts with an empty memory, the scripts that may define the data set are loaded before it is.
    """

    data: Dataset[Any]
    seed: int

    def __len__(self) -> int:
        return len(cast("Sized", self.data))

    def __getitem__(self, key: tuple[int, int]) -> tuple[int, Any]:
        epoch, index = key
        with own_randomness(derive_seed(self.seed, "item", epoch, index)):
            return index, self.data[index]

    def __reduce__(self) -> tuple[Any, ...]:
        return _seeded_items, (LoadedScripts(), self.data, self.seed)  # unpickled in this order


def _seeded_items(_: None, data: Dataset[Any], seed: int) -> SeededItems:
    return SeededItems(data, seed)


@define(eq=False)
class ItemLoader:
    """Loads items in batches, by workers.

    Attributes:
        data: a torch data set.
        seed: what the random numbers of its items follow from.
        workers: processes that load; None for one less than the cores, at most 4.
        pin_memory: whether batches are in memory from which a copy to a GPU does not wait.
        keeps_workers: whether they stay from epoch to epoch, until `close`.
    """

    data: Dataset[Any]
    seed: int
    workers: int | None = None
    pin_memory: bool = False
    keeps_workers: bool = False
    _loader: DataLoader[Any] | None = field(init=False, default=None)
    _order: "_Order" = field(init=False, factory=lambda: _Order())

    def load(self, epoch: int, batches: Sequence[Sequence[int]]) -> Iterator[Entries]:
        """Yield batches of items on the CPU, each given by the indices of its items.

        Raises:
            DataError: an item is not a sample, or differs from the others in form.
        """
        workers = min(4, (os.cpu_count() or 1) - 1) if self.workers is None else self.workers
        self._order.batches = [[(epoch, index) for index in batch] for batch in batches]
        loader = self._loader
        if loader is None:
            loader = DataLoader(
                SeededItems(self.data, self.seed),
                batch_sampler=self._order,
                num_workers=workers,
                collate_fn=_collate,
                generator=torch.Generator(),  # or it would draw from the global one, once more after a resume
                pin_memory=self.pin_memory,
                persistent_workers=self.keeps_workers and workers > 0,
            )
            self._loader = loader if self.keeps_workers else None
        for loaded in loader:
            if isinstance(loaded, DataError):
                raise loaded
            yield loaded

    def close(self) -> None:
        """Let the workers go, and keep none from now on."""
        self._loader, self.keeps_workers = None, False


def lost_worker(error: BaseException) -> str | None:
    """Return how a worker ended, where an error says that one did: `"was killed by signal: Killed"`; else None.

    On Unix torch raises it from a signal's handler, wherever the run happens to be.
    """
    found = re.match(r"DataLoader worker \(pid(?:\(s\))? [\d, ]+\) (?:is )?(.+?)(?:\.|$)", str(error))
    if found is None or not isinstance(error, RuntimeError):
        return None
    return re.sub("^killed", "was killed", found[1])


class _Order:
    """Which items each batch of the current epoch has."""

    batches: list[list[tuple[int, int]]]

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


def stack_items(items: Sequence[tuple[int, Any]]) -> Entries:
    """Put items, each with its index, together to a batch.

    Raises:
        DataError: an item is not a sample, or differs from the first in form.
    """
    rows = [(index, _entries(index, item)) for index, item in items]
    first_index, first = rows[0]
    for index, row in rows:
        if row.keys() != first.keys():
            raise DataError(
                f"item {index} of the data has {_listed(row)}; it must have {_listed(first)}, as item {first_index} has"
            )
        for name, value in row.items():
            if form(value) != form(first[name]):
                raise DataError(
                    f"item {index} of the data: '{name}' is {form(value)}; it must be "
                    f"{form(first[name])}, as item {first_index} has"
                )
    return {name: torch.stack([row[name] for _, row in rows]) for name in first}


def _collate(items: Sequence[tuple[int, Any]]) -> Entries | DataError:
    """Do so in a worker: an error that is raised there would come with the worker's traceback as its text."""
    try:
        return stack_items(items)
    except DataError as error:
        return error


def _entries(index: int, item: Any) -> Entries:
    """Return what an item has, by name."""
    if isinstance(item, list | tuple):
        if len(item) not in (1, 2):
            raise DataError(
                f"item {index} of the data has {len(item)} values; give (sample, label), or a dict with 'samples'"
            )
        item = dict(zip(("samples", "labels"), item, strict=False))
    found = item if isinstance(item, Mapping) else {"samples": item}
    if "samples" not in found:
        raise DataError(f"item {index} of the data has {_listed(found)}; it must have 'samples'")
    return {name: _entry(index, name, value) for name, value in found.items()}


def _entry(index: int, name: str, value: Any) -> Tensor:
    taken = _DTYPES.get(name, _FURTHER_DTYPES)
    tensor = torch.as_tensor(value) if isinstance(value, Tensor | np.ndarray | np.generic | int | float) else None
    if tensor is None or tensor.dtype not in taken:
        found = type(value).__name__ if tensor is None else tensor.dtype
        raise DataError(f"item {index} of the data: '{name}' is {found}; make it {' or '.join(map(str, taken))}")
    return tensor


def _listed(found: Mapping[Any, Any]) -> str:
    return ", ".join(map(str, found)) or "nothing"
