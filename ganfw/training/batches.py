"""The order that real samples are served in, and the batches of a run on its device.

The order of an epoch is a function of only the seed and the epoch, so that any batch of a run can be served
again without what came before it.
"""

import contextlib
import math
from collections.abc import Iterator, Mapping, Sized
from typing import cast

import torch
from attrs import define, field
from torch import Tensor

from ganfw.data import Batch, Data, TensorData, check_values, require_channels_first
from ganfw.distributed.process_group import ProcessGroup
from ganfw.engine.random_streams import seeded_generator
from ganfw.errors import DataError
from ganfw.training.items import Entries, ItemLoader, SeededItems, stack_items

_GATHERED_VALUES = 1 << 20
"""How many values of batches to come are gathered at once, 4 MiB in float32: one by one costs more than the copying."""


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
    value_range: tuple[float, float] = field(init=False, default=(-math.inf, math.inf))
    _loader: ItemLoader | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        if isinstance(self.data, TensorData):
            self.data = self.data.to(self.device)
            self.num_classes = self.data.num_classes
        else:
            if not isinstance(self.data, Sized) or not len(self.data):
                raise DataError("a torch data set must have a length of at least 1")
            classes = getattr(self.data, "classes", None)
            self.num_classes = len(classes) if isinstance(classes, list) else None
            self._loader = ItemLoader(self.data, self.seed, self.workers, pin_memory=self.device.type == "cuda")
        first = self.first(1)
        self.sample_shape = tuple(first.samples.shape[1:])
        require_channels_first(self.sample_shape)
        self.entry_shapes = {name: tuple(entry.shape[1:]) for name, entry in first.more.items()}
        default = (0.0, 1.0) if len(self.sample_shape) == 3 else self.value_range
        self.value_range = getattr(self.data, "value_range", default)
        if self.shortest_batch < self.processes.size:
            raise DataError(
                f"a batch of the run has fewer samples than there are processes, {self.processes.size}; "
                "raise run.batch_size, or start fewer processes"
            )

    @property
    def size(self) -> int:
        """Samples in the data set."""
        return len(cast("Sized", self.data))

    @property
    def shortest_batch(self) -> int:
        """Samples in the shortest batch, which is the last of an epoch."""
        return min(self.batch_size, (self.size - 1) % self.batch_size + 1)

    def fewest_rows(self, accumulate: int) -> int:
        """Return how many samples the smallest part of a batch has, where batches are computed in parts."""
        totals = (min(self.batch_size, self.size), self.shortest_batch)
        return min(total // self.processes.parts_of(total, accumulate) for total in totals)

    @property
    def per_epoch(self) -> int:
        """Batches in an epoch, the short one included."""
        return -(-self.size // self.batch_size)

    def steps(self, max_steps: int | None, epochs: int | None) -> int:
        """Return how many steps a run has that ends after this many steps or epochs, whichever comes first."""
        limits = (max_steps, None if epochs is None else epochs * self.per_epoch)
        return min(limit for limit in limits if limit is not None)

    def epoch(self, epoch: int, first_batch: int = 0, total_steps: int = 0) -> Iterator[Batch]:
        """Yield this process's rows of the batches of an epoch, both counted from 0, from `first_batch` on."""
        order = torch.randperm(self.size, generator=seeded_generator("cpu", self.seed, "order", epoch))
        batches = order[first_batch * self.batch_size :].split(self.batch_size)
        indices = [batch[self.processes.rows_of(len(batch))] for batch in batches]
        if isinstance(self.data, TensorData):
            served = self._gather(self.data, indices)
        else:
            assert self._loader is not None
            loaded = self._loader.load(epoch, [chunk.tolist() for chunk in indices])
            served = (self._move(entries, chunk) for entries, chunk in zip(loaded, indices, strict=True))
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
            items = SeededItems(self.data, self.seed)
            entries = self._move(stack_items([items[0, int(index)] for index in indices]), indices)
        return _batch(entries, 0, len(indices), slice(0, len(indices)), 0)

    @contextlib.contextmanager
    def keeping_workers(self) -> Iterator[None]:
        """Within the block, let the workers that load a torch data set stay from epoch to epoch."""
        if self._loader is not None:
            self._loader.keeps_workers = True
        try:
            yield
        finally:
            if self._loader is not None:
                self._loader.close()

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

    def _move(self, entries: Entries, indices: Tensor) -> Entries:
        """Return loaded entries on the device, their values checked."""
        shape = tuple(entries["samples"].shape[1:])
        if self.sample_shape and shape != self.sample_shape:
            raise DataError(f"item {int(indices[0])} of the data has the shape {shape}; it must be {self.sample_shape}")
        check_values(entries["samples"], entries.get("labels"), self.value_range, self.num_classes, indices)
        return {name: _as_float(entry.to(self.device, non_blocking=True)) for name, entry in entries.items()}


def _batch(entries: Entries, step: int, total: int, rows: slice, total_steps: int) -> Batch:
    samples, labels = entries.pop("samples"), entries.pop("labels", None)
    return Batch(samples, labels, step, total, rows, entries, total_steps)


def _as_float(entry: Tensor) -> Tensor:
    return entry / 255 if entry.dtype == torch.uint8 else entry
