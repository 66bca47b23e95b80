"""The order that real samples are served in, and the batches of a run on its device.

The order of an epoch is a function of the seed and the epoch alone, so that any batch of a run can be served
again without what came before it.
"""

import math
import os
from collections.abc import Iterator, Mapping, Sized
from typing import Any, cast

import torch
from attrs import define, field, frozen
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ganfw.data import Batch, Data, TensorData
from ganfw.distributed.process_group import ProcessGroup
from ganfw.engine.random_streams import derive_seed, own_randomness, seeded_generator
from ganfw.errors import DataError

_GATHERED_VALUES = 1 << 20
"""How many values of batches to come are gathered at once, 4 MiB in float32: one by one costs more than the copying."""

Entries = dict[str, Tensor]
"""What a batch takes from the data, on the device, by name: `samples`, perhaps `labels`, and further entries."""


@define(eq=False)
class Batches:
    """Serves a data set in batches on a device, every sample once an epoch, the last short batch kept.

    Attributes:
        data: the data; moved to the device where it is in memory.
        batch_size: samples in a batch.
        seed: the run's seed.
        device: where batches are delivered.
        workers: processes that load a torch data set; None for one less than the cores, at most 4.
        processes: the processes that share each batch.
        sample_shape: the shape of one sample.
        entry_shapes: of each further entry, the shape of one.
        num_classes: how many classes the labels name, or None.
        value_range: the least and the largest value of a sample.
    """

    data: Data
    batch_size: int
    seed: int
    device: torch.device
    workers: int | None = None
    processes: ProcessGroup = field(factory=ProcessGroup)
    sample_shape: tuple[int, ...] = field(init=False, default=())
    entry_shapes: Mapping[str, tuple[int, ...]] = field(init=False)
    num_classes: int | None = field(init=False)
    value_range: tuple[float, float] = field(init=False)

    def __attrs_post_init__(self) -> None:
        if isinstance(self.data, TensorData):
            self.data = self.data.to(self.device)
            self.num_classes = self.data.num_classes
        else:
            if not isinstance(self.data, Sized) or not len(self.data):
                raise DataError("a torch data set must have a length of at least 1")
            classes = getattr(self.data, "classes", None)
            self.num_classes = len(classes) if isinstance(classes, list) else None
        first = self.first(1)
        self.sample_shape = tuple(first.samples.shape[1:])
        self.entry_shapes = {name: tuple(entry.shape[1:]) for name, entry in first.more.items()}
        default = (0.0, 1.0) if len(self.sample_shape) == 3 else (-math.inf, math.inf)
        self.value_range = getattr(self.data, "value_range", default)
        if self.shortest_batch < self.processes.size:
            raise DataError(f"a batch of the run has fewer samples than there are processes, {self.processes.size}")

    @property
    def size(self) -> int:
        """Samples in the data set."""
        return len(cast("Sized", self.data))

    @property
    def shortest_batch(self) -> int:
        """Samples in the shortest batch, which is the last of an epoch."""
        return min(self.batch_size, (self.size - 1) % self.batch_size + 1)

    @property
    def per_epoch(self) -> int:
        """Batches in an epoch, the short one included."""
        return -(-self.size // self.batch_size)

    def epoch(self, epoch: int, first_batch: int = 0, total_steps: int = 0) -> Iterator[Batch]:
        """Yield this process's rows of the batches of an epoch, both counted from 0, from `first_batch` on."""
        order = torch.randperm(self.size, generator=seeded_generator("cpu", self.seed, "order", epoch))
        batches = order[first_batch * self.batch_size :].split(self.batch_size)
        indices = [batch[self.processes.rows_of(len(batch))] for batch in batches]
        if isinstance(self.data, TensorData):
            served = self._gather(self.data, indices)
        else:
            served = self._load(self.data, epoch, indices)
        first_step = epoch * self.per_epoch + first_batch
        for step, (batch, entries) in enumerate(zip(batches, served, strict=True), first_step):
            self.processes.begin_batch(len(batch))
            yield _batch(entries, step, len(batch), self.processes.rows, total_steps)

    def first(self, count: int) -> Batch:
        """Return the first `count` samples in the data's own order, or all if there are fewer."""
        indices = torch.arange(min(count, self.size))
        if isinstance(self.data, TensorData):
            entries = next(self._gather(self.data, [indices]))
        else:
            items = SeededItems(self.data, self.seed, 0)
            entries = self._move(torch.utils.data.default_collate([items[int(index)] for index in indices]))
        return _batch(entries, 0, len(indices), slice(0, len(indices)), 0)

    def _gather(self, data: TensorData, indices: list[Tensor]) -> Iterator[Entries]:
        values_of_a_batch = self.batch_size * data.samples.shape[1:].numel()
        at_once = max(1, _GATHERED_VALUES // max(1, values_of_a_batch))
        for start in range(0, len(indices), at_once):
            chunks = indices[start : start + at_once]
            rows, sizes = torch.cat(chunks), [len(chunk) for chunk in chunks]
            if self.device.type == "cuda":  # from other memory a copy waits for the device
                rows = rows.pin_memory()
            rows = rows.to(self.device, non_blocking=True)
            gathered = {name: _as_float(entry.index_select(0, rows)) for name, entry in data.entries().items()}
            splits = {name: entry.split(sizes) for name, entry in gathered.items()}
            for index in range(len(sizes)):
                yield {name: parts[index] for name, parts in splits.items()}

    def _load(self, data: Dataset[Any], epoch: int, indices: list[Tensor]) -> Iterator[Entries]:
        workers = min(4, (os.cpu_count() or 1) - 1) if self.workers is None else self.workers
        loader = DataLoader(
            SeededItems(data, self.seed, epoch),
            batch_sampler=[chunk.tolist() for chunk in indices],
            num_workers=workers,
            generator=torch.Generator(),  # or it would draw from the global one, once more after a resume
            pin_memory=self.device.type == "cuda",
        )
        for loaded in loader:
            yield self._move(loaded)

    def _move(self, loaded: Any) -> Entries:
        if isinstance(loaded, list | tuple):
            loaded = dict(zip(("samples", "labels"), loaded, strict=False))
        entries = loaded if isinstance(loaded, Mapping) else {"samples": loaded}
        samples = entries.get("samples")
        if not isinstance(samples, Tensor):
            raise DataError("an item of the data is no sample: it must be a tensor, a pair (sample, label), or a dict")
        if self.sample_shape and tuple(samples.shape[1:]) != self.sample_shape:
            raise DataError(f"an item of the data has the shape {tuple(samples.shape[1:])}, not {self.sample_shape}")
        if samples.dtype not in (torch.uint8, torch.float32):
            raise DataError(f"an item of the data is {samples.dtype}; make it torch.float32, or uint8 for an image")
        for name, entry in entries.items():
            taken = (torch.int64, torch.float32) if name == "labels" else (torch.uint8, torch.int64, torch.float32)
            if not isinstance(entry, Tensor) or entry.dtype not in taken:
                found = entry.dtype if isinstance(entry, Tensor) else type(entry).__name__
                raise DataError(f"'{name}' of an item of the data is {found}; make it {' or '.join(map(str, taken))}")
        return {name: _as_float(entry.to(self.device, non_blocking=True)) for name, entry in entries.items()}


def _batch(entries: Entries, step: int, total: int, rows: slice, total_steps: int) -> Batch:
    samples, labels = entries.pop("samples"), entries.pop("labels", None)
    return Batch(samples, labels, step, total, rows, entries, total_steps)


def _as_float(entry: Tensor) -> Tensor:
    return entry / 255 if entry.dtype == torch.uint8 else entry


@frozen(eq=False)
class SeededItems(Dataset[Any]):
    """A data set whose items, random transforms included, are a function of seed, epoch and index alone."""

    data: Dataset[Any]
    seed: int
    epoch: int

    def __len__(self) -> int:
        return len(cast("Sized", self.data))

    def __getitem__(self, index: int) -> Any:
        with own_randomness(derive_seed(self.seed, "item", self.epoch, index)):
            return self.data[index]
