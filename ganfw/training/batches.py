"""The order that real samples are served in, and the batches of a run on its device.

The order of an epoch is a function of the seed and the epoch alone, so that any batch of a run can be served
again without what came before it.
"""

import os
from collections.abc import Iterator, Sized
from itertools import repeat
from typing import Any, cast

import torch
from attrs import field, frozen
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ganfw.data import Batch, Data, TensorData
from ganfw.distributed.process_group import ProcessGroup
from ganfw.engine.random_streams import derive_seed, own_randomness, seeded_generator
from ganfw.errors import DataError

_GATHERED_VALUES = 1 << 20
"""How many values of batches to come are gathered at once, 4 MiB in float32: one by one costs more than the copying."""

SamplesAndLabels = tuple[Tensor, Tensor | None]
"""What a batch takes from the data, on the device."""


@frozen(eq=False)
class Batches:
    """Serves a data set in batches on a device, every sample once an epoch, the last short batch kept.

    Attributes:
        data: the data; moved to the device where it is in memory.
        batch_size: samples in a batch.
        seed: the run's seed.
        device: where batches are delivered.
        workers: processes that load a torch data set; None for one less than the cores, at most 4.
        world: the processes that share each batch.
    """

    data: Data
    batch_size: int
    seed: int
    device: torch.device
    workers: int | None = None
    world: ProcessGroup = field(factory=ProcessGroup)
    sample_shape: tuple[int, ...] = field(init=False)
    num_classes: int | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        data = self.data
        if isinstance(data, TensorData):
            labels = None if data.labels is None else data.labels.to(self.device)
            data = TensorData(data.samples.to(self.device), labels, data.num_classes)
            object.__setattr__(self, "data", data)
            object.__setattr__(self, "sample_shape", data.sample_shape)
            object.__setattr__(self, "num_classes", data.num_classes)
        else:
            if not isinstance(data, Sized) or not len(data):
                raise DataError("a torch data set must have a length of at least 1")
            first = self.first(1)
            object.__setattr__(self, "sample_shape", tuple(first.samples.shape[1:]))
            classes = getattr(data, "classes", None)
            object.__setattr__(self, "num_classes", len(classes) if isinstance(classes, list) else None)
        if self.shortest_batch < self.world.size:
            raise DataError(f"a batch of the run has fewer samples than there are processes, {self.world.size}")

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

    def epoch(self, epoch: int, first_batch: int = 0) -> Iterator[Batch]:
        """Yield this process's rows of the batches of an epoch, both counted from 0, from `first_batch` on."""
        order = torch.randperm(self.size, generator=seeded_generator("cpu", self.seed, "order", epoch))
        batches = order[first_batch * self.batch_size :].split(self.batch_size)
        indices = [batch[self.world.rows_of(len(batch))] for batch in batches]
        if isinstance(self.data, TensorData):
            served = self._gather(self.data, indices)
        else:
            served = self._load(self.data, epoch, indices)
        first_step = epoch * self.per_epoch + first_batch
        for step, (batch, (samples, labels)) in enumerate(zip(batches, served, strict=True), first_step):
            self.world.begin_batch(len(batch))
            yield Batch(samples, labels, step, len(batch), self.world.rows)

    def first(self, count: int) -> Batch:
        """Return the first `count` samples in the data's own order, or all if there are fewer."""
        indices = torch.arange(min(count, self.size))
        if isinstance(self.data, TensorData):
            return Batch(*next(self._gather(self.data, [indices])))
        items = SeededItems(self.data, self.seed, 0)
        return Batch(*self._move(torch.utils.data.default_collate([items[int(index)] for index in indices])))

    def _gather(self, data: TensorData, indices: list[Tensor]) -> Iterator[SamplesAndLabels]:
        values_of_a_batch = self.batch_size * data.samples.shape[1:].numel()
        at_once = max(1, _GATHERED_VALUES // max(1, values_of_a_batch))
        for start in range(0, len(indices), at_once):
            chunks = indices[start : start + at_once]
            rows, sizes = torch.cat(chunks).to(self.device), [len(chunk) for chunk in chunks]
            samples = data.samples.index_select(0, rows)
            if samples.dtype == torch.uint8:
                samples = samples / 255
            labels = repeat(None) if data.labels is None else data.labels.index_select(0, rows).split(sizes)
            yield from zip(samples.split(sizes), labels, strict=False)

    def _load(self, data: Dataset[Any], epoch: int, indices: list[Tensor]) -> Iterator[SamplesAndLabels]:
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

    def _move(self, loaded: Any) -> SamplesAndLabels:
        samples, labels = loaded if isinstance(loaded, list | tuple) else (loaded, None)
        moved = samples.to(self.device, non_blocking=True)
        return moved, None if labels is None else labels.to(self.device, non_blocking=True)


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
