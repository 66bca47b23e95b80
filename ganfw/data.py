"""Real samples as values: data in memory, a batch of it, and random numbers for the rows of a batch."""

import hashlib
from typing import Any

import torch
from attrs import Factory, frozen
from torch import Tensor
from torch.utils.data import Dataset

from ganfw.errors import DataError


@frozen(eq=False)
class TensorData:
    """A data set held in memory.

    Attributes:
        samples: `(size, *sample_shape)`, uint8 in [0, 255] or float32; for images `(size, channels, height,
            width)`, and float32 in [0, 1].
        labels: `(size,)` int64 in [0, num_classes), or None.
        num_classes: how many classes the labels name, or None.

    Raises:
        DataError: the shapes or dtypes are not as above.
    """

    samples: Tensor
    labels: Tensor | None = None
    num_classes: int | None = None

    def __attrs_post_init__(self) -> None:
        if self.samples.dtype not in (torch.uint8, torch.float32) or self.samples.ndim < 2 or not len(self.samples):
            raise DataError(
                f"samples must be (size, …) uint8 or float32 with size >= 1, not "
                f"{tuple(self.samples.shape)} {self.samples.dtype}"
            )
        if self.labels is not None and self.labels.shape != (len(self.samples),):
            raise DataError(f"labels must be ({len(self.samples)},), not {tuple(self.labels.shape)}")

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return tuple(self.samples.shape[1:])

    def __len__(self) -> int:
        return len(self.samples)

    def sha256(self) -> str:
        """Return the hash of the samples' and labels' values."""
        digest = hashlib.sha256(f"{self.samples.dtype} {tuple(self.samples.shape)}".encode())
        for tensor in (self.samples, self.labels):
            if tensor is not None:
                digest.update(tensor.cpu().numpy().tobytes())
        return digest.hexdigest()


Data = TensorData | Dataset[Any]
"""What a data part returns: data in memory, or a torch data set whose items are a sample or (sample, label)."""


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
        return torch.rand(self.total, *shape, generator=self.random, device=self.random.device)[self.rows]

    def normal(self, *shape: int) -> Tensor:
        """Return `(rows, *shape)` float32 from N(0, 1)."""
        return torch.randn(self.total, *shape, generator=self.random, device=self.random.device)[self.rows]

    def integers(self, high: int, *shape: int) -> Tensor:
        """Return `(rows, *shape)` int64, uniform on 0, 1, ..., high - 1."""
        return torch.randint(high, (self.total, *shape), generator=self.random, device=self.random.device)[self.rows]


@frozen(eq=False)
class Batch:
    """Samples for one step, on the device.

    Attributes:
        samples: `(batch, *sample_shape)` float32; images in [0, 1].
        labels: `(batch,)` int64, or None.
        step: how many batches of the run came before.
        total: rows of the whole batch, where several processes share it.
        rows: which of them these are.
    """

    samples: Tensor
    labels: Tensor | None = None
    step: int = 0
    total: int = Factory(lambda batch: len(batch.samples), takes_self=True)
    rows: slice = slice(None)

    def row_random(self, random: torch.Generator) -> RowRandom:
        """Return random numbers for these rows."""
        return RowRandom(random, self.total, self.rows)
