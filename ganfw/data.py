"""Real samples as values: data in memory, a batch of it, and random numbers for the rows of a batch."""

import hashlib
import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import torch
from attrs import Factory, evolve, field, frozen
from torch import Tensor
from torch.utils.data import Dataset

from ganfw.errors import DataError

NO_ENTRIES: Mapping[str, Tensor] = MappingProxyType({})


@frozen(eq=False)
class TensorData:
    """A data set held in memory.

    Attributes:
        samples: `(size, *sample_shape)`, uint8 in [0, 255] or float32; for images `(size, channels, height,
            width)`, and float32 in [0, 1].
        labels: None, or `(size, ...)`: int64 classes in [0, num_classes), -1 where a row has none; or float32, for
            conditions that are numbers.
        num_classes: how many classes the labels name, or None.
        more: further entries of each row, by name: `(size, ...)`, uint8 in [0, 255], int64 or float32.
        value_range: the least and the largest value of a sample; by default 0 and 1 for images, any for others.

    Raises:
        DataError: the shapes or dtypes are not as above, or an entry has a name that is taken.
    """

    samples: Tensor
    labels: Tensor | None = None
    num_classes: int | None = None
    more: Mapping[str, Tensor] = field(default=NO_ENTRIES, kw_only=True)
    value_range: tuple[float, float] = field(
        default=Factory(lambda data: (0.0, 1.0) if data.samples.ndim == 4 else (-math.inf, math.inf), takes_self=True),
        kw_only=True,
    )

    def __attrs_post_init__(self) -> None:
        if self.samples.dtype not in (torch.uint8, torch.float32) or self.samples.ndim < 2 or not len(self.samples):
            raise DataError(
                f"samples must be (size, …) uint8 or float32 with size >= 1, not "
                f"{tuple(self.samples.shape)} {self.samples.dtype}"
            )
        if self.labels is not None and self.labels.shape[:1] != self.samples.shape[:1]:
            raise DataError(f"labels must be ({len(self.samples)},), not {tuple(self.labels.shape)}")
        if self.labels is not None and self.labels.dtype not in (torch.int64, torch.float32):
            raise DataError(f"labels must be torch.int64 classes or torch.float32, not {self.labels.dtype}")
        for name, entry in self.more.items():
            if entry.dtype not in (torch.uint8, torch.int64, torch.float32):
                raise DataError(f"entry '{name}' must be torch.uint8, torch.int64 or torch.float32, not {entry.dtype}")
            if name in ("samples", "labels", "z"):
                raise DataError(f"a further entry cannot be called '{name}'")
            if entry.shape[:1] != self.samples.shape[:1]:
                raise DataError(f"entry '{name}' must have {len(self.samples)} rows, not {tuple(entry.shape)}")

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return tuple(self.samples.shape[1:])

    def __len__(self) -> int:
        return len(self.samples)

    def __repr__(self) -> str:
        return f"TensorData({len(self):,} samples of {' x '.join(map(str, self.sample_shape))})"

    def entries(self) -> dict[str, Tensor]:
        """Return everything that a row has, by name: `samples`, `labels` where there are any, and further entries."""
        labels = {} if self.labels is None else {"labels": self.labels}
        return {"samples": self.samples, **labels, **self.more}

    def to(self, device: torch.device) -> "TensorData":
        """Return the data on a device."""
        labels = None if self.labels is None else self.labels.to(device)
        more = {name: entry.to(device) for name, entry in self.more.items()}
        return evolve(self, samples=self.samples.to(device), labels=labels, more=more)

    def sha256(self) -> str:
        """Return the hash of all values."""
        digest = hashlib.sha256(f"{self.samples.dtype} {tuple(self.samples.shape)}".encode())
        for name, tensor in self.entries().items():
            digest.update(b"" if name in ("samples", "labels") else f"{name} {tuple(tensor.shape)}".encode())
            digest.update(tensor.cpu().numpy().tobytes())
        return digest.hexdigest()


Data = TensorData | Dataset[Any]
"""What a data part returns: data in memory, or a torch data set.

Its items are a sample, a pair (sample, label), or a dict with `samples`, perhaps `labels`, and further entries. It may
have `fingerprint() -> str`, which differs for other data, such as the names, sizes and times of files.
"""


def data_hash(data: Data) -> str | None:
    """Return the SHA-256 of data in memory, or of what a data set's `fingerprint()` returns; None where it has none."""
    if isinstance(data, TensorData):
        return data.sha256()
    fingerprint = getattr(data, "fingerprint", None)
    return hashlib.sha256(str(fingerprint()).encode()).hexdigest() if callable(fingerprint) else None


@frozen(eq=False)
class RowRandom:
    """Draws random numbers for the rows of a batch; each row gets the same, however many processes share the batch.

    Attributes:
        random: where the numbers come from, on the device; moved on by every draw.
        total: rows of the whole batch.
        rows: which of them are this process's.
    """

    random: torch.Generator
    total: int
    rows: slice = slice(None)

    def uniform(self, *shape: int) -> Tensor:
        """Return `(rows, *shape)` float32, uniform on [0, 1)."""
        return self.draw("uniform", shape)

    def normal(self, *shape: int) -> Tensor:
        """Return `(rows, *shape)` float32 from N(0, 1)."""
        return self.draw("normal", shape)

    def integers(self, high: int, *shape: int) -> Tensor:
        """Return `(rows, *shape)` int64, uniform on 0, 1, ..., high - 1."""
        return self.draw("integers", shape, high)

    def draw(self, distribution: str, shape: tuple[int, ...], high: int = 0) -> Tensor:
        """Return what the method of this name does."""
        size, random, device = (self.total, *shape), self.random, self.random.device
        match distribution:
            case "uniform":
                numbers = torch.rand(size, generator=random, device=device)
            case "normal":
                numbers = torch.randn(size, generator=random, device=device)
            case _:
                numbers = torch.randint(high, size, generator=random, device=device)
        return numbers[self.rows]


@frozen(eq=False)
class Batch:
    """Samples for one step, on the device.

    Attributes:
        samples: `(batch, *sample_shape)` float32; images in [0, 1].
        labels: `(batch, ...)` int64 or float32, or None.
        step: how many batches of the run came before.
        total: rows of the whole batch, where several processes share it.
        rows: which of them these are.
        more: further entries, `(batch, ...)`, by name; images among them float32 in [0, 1].
        total_steps: how many batches the run has in all; 0 where that is not known.
    """

    samples: Tensor
    labels: Tensor | None = None
    step: int = 0
    total: int = Factory(lambda batch: len(batch.samples), takes_self=True)
    rows: slice = slice(None)
    more: Mapping[str, Tensor] = NO_ENTRIES
    total_steps: int = 0

    def __len__(self) -> int:
        return len(self.samples)

    def row_random(self, random: torch.Generator) -> RowRandom:
        """Return random numbers for these rows."""
        return RowRandom(random, self.total, self.rows)

    def split(self, parts: int) -> Iterator[tuple["Batch", slice]]:
        """Yield so many parts, of sizes as equal as can be, each with the rows of this batch that it has."""
        first = self.rows.indices(self.total)[0]
        for part in range(parts):
            rows = slice(len(self) * part // parts, len(self) * (part + 1) // parts)
            labels = None if self.labels is None else self.labels[rows]
            more = {name: entry[rows] for name, entry in self.more.items()}
            place = slice(first + rows.start, first + rows.stop)
            yield evolve(self, samples=self.samples[rows], labels=labels, more=more, rows=place), rows
