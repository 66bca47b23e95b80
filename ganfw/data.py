"""Real samples as values: data in memory, a batch of it, and random numbers for the rows of a batch."""

import hashlib
import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from attrs import Factory, evolve, field, frozen
from attrs.converters import optional
from torch import Tensor
from torch.utils.data import Dataset

from ganfw.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST_SIDE = 8  # of what is taken for the height and the width of an image
NO_ENTRIES: Mapping[str, Tensor] = MappingProxyType({})


def _as_tensor(values: "Tensor | NDArray[Any]") -> Tensor:
    return torch.as_tensor(values)


def _as_tensors(entries: "Mapping[str, Tensor | NDArray[Any]]") -> Mapping[str, Tensor]:
    return {name: torch.as_tensor(entry) for name, entry in entries.items()}


@frozen(eq=False)
class TensorData:
    """A data set held in memory.

    Attributes:
        samples: `(size, *sample_shape)`, uint8 in [0, 255] or float32; for images `(size, channels, height,
            width)`, and float32 in [0, 1]. NumPy arrays are taken for this and the others, and kept as tensors.
        labels: None, or `(size, ...)`: int64 classes in [0, num_classes), -1 where a row has none; or float32, for
            conditions that are numbers.
        num_classes: how many classes the labels name, or None.
        more: further entries of each row, by name: `(size, ...)`, uint8 in [0, 255], int64 or float32.
        value_range: the least and the largest value of a sample; by default 0 and 1 for images, any for others.
        licence: the licence of the data, as an SPDX identifier if it has one; None where nothing is said of it.

    Raises:
        DataError: shapes, dtypes or values are not as above, or an entry has a name that is taken.
    """

    samples: Tensor = field(converter=_as_tensor)
    labels: Tensor | None = field(default=None, converter=optional(_as_tensor))
    num_classes: int | None = None
    more: Mapping[str, Tensor] = field(default=NO_ENTRIES, converter=_as_tensors, kw_only=True)
    value_range: tuple[float, float] = field(
        default=Factory(lambda data: (0.0, 1.0) if data.samples.ndim == 4 else (-math.inf, math.inf), takes_self=True),
        kw_only=True,
    )
    licence: str | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.samples.dtype not in (torch.uint8, torch.float32) or self.samples.ndim < 2 or not len(self.samples):
            raise DataError(
                f"samples must be (size, …) uint8 or float32 with size >= 1, not "
                f"{tuple(self.samples.shape)} {self.samples.dtype}"
            )
        require_channels_first(self.sample_shape)
        if self.labels is not None and self.labels.shape[:1] != self.samples.shape[:1]:
            raise DataError(f"labels must be ({len(self.samples)},), not {tuple(self.labels.shape)}")
        if self.labels is not None and self.labels.dtype not in (torch.int64, torch.float32):
            raise DataError(f"labels must be torch.int64 classes or torch.float32, not {self.labels.dtype}")
        for name, entry in self.more.items():
            if entry.dtype not in (torch.uint8, torch.int64, torch.float32):
                raise DataError(f"entry '{name}' must be torch.uint8, torch.int64 or torch.float32, not {entry.dtype}")
            if name in ("samples", "labels", "z"):
                raise DataError(f"a further entry cannot be called '{name}'; rename it")
            if entry.shape[:1] != self.samples.shape[:1]:
                raise DataError(f"entry '{name}' must have {len(self.samples)} rows, not {tuple(entry.shape)}")
        check_values(self.samples, self.labels, self.value_range, self.num_classes)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return tuple(self.samples.shape[1:])

    def __len__(self) -> int:
        return len(self.samples)

    def __repr__(self) -> str:
        return f"TensorData({len(self):,} samples of {' x '.join(map(str, self.sample_shape))})"

    def entries(self) -> dict[str, Tensor]:
        """Return all that a row has, `(size, ...)` each, in its dtype: `samples`, `labels` if any, further entries."""
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


def require_channels_first(sample_shape: tuple[int, ...]) -> None:
    """Make sure that a sample is not an image `(height, width, channels)`.

    Raises:
        DataError: it looks like one.
    """
    if len(sample_shape) == 3 and sample_shape[2] in (1, 3) and min(sample_shape[:2]) >= _LEAST_SIDE:
        raise DataError(
            f"a sample is {sample_shape}, which looks like (height, width, channels); images must be (channels, "
            "height, width): permute(2, 0, 1) of one, permute(0, 3, 1, 2) of all"
        )


def check_values(
    samples: Tensor,
    labels: Tensor | None,
    value_range: tuple[float, float],
    num_classes: int | None,
    indices: Tensor | None = None,
) -> None:
    """Make sure that samples are finite and in their range, and that labels name classes.

    Args:
        samples: `(n, *sample_shape)` uint8 or float32.
        labels: `(n, ...)` int64 in [-1, num_classes) or float32, or None.
        value_range: the least and the largest value of a sample in float32.
        num_classes: how many classes the labels name, or None.
        indices: which samples of the data these are; None for the first n.

    Raises:
        DataError: a value is not one of these; the message has the index of the sample.
    """
    least, most = value_range
    if samples.is_floating_point() and samples.numel():
        low, high = (float(bound) for bound in samples.aminmax())
        if not (least <= low and high <= most and math.isfinite(low) and math.isfinite(high)):
            within = (samples >= least) & (samples <= most) & samples.isfinite()
            where = f"in [{least:g}, {most:g}]" if math.isfinite(least) or math.isfinite(most) else "finite"
            hint = "; divide by 255, or keep them uint8" if most == 1 < high <= 255 and least <= low else ""
            raise DataError(_wrong_value(samples, within, indices, "has the value", f"samples must be {where}{hint}"))
    if labels is not None and labels.is_floating_point() and not labels.isfinite().all():
        raise DataError(_wrong_value(labels, labels.isfinite(), indices, "has the label", "labels must be finite"))
    if labels is not None and num_classes is not None and not labels.is_floating_point() and labels.numel():
        low, high = (int(bound) for bound in labels.aminmax())
        if low < -1 or high >= num_classes:
            known = (labels >= -1) & (labels < num_classes)
            needed = f"labels must be classes from 0 to {num_classes - 1}, or -1 for none"
            raise DataError(_wrong_value(labels, known, indices, "has the label", needed))


def _wrong_value(values: Tensor, is_right: Tensor, indices: Tensor | None, has: str, needed: str) -> str:
    """Say which sample has a value that is not right, the first such one."""
    row = int((~is_right).flatten(1).any(1).nonzero()[0] if values.ndim > 1 else (~is_right).nonzero()[0])
    value = values[row][~is_right[row]].flatten()[0].item()
    return f"sample {row if indices is None else int(indices[row])} of the data {has} {value:g}: {needed}"


Data = TensorData | Dataset[Any]
"""What a data part returns: data in memory, or a torch data set.

Its items are a sample, a pair (sample, label), or a dict with `samples`, perhaps `labels`, and further entries. It may
have `fingerprint() -> str`, which differs for other data, such as the names, sizes and times of files, and `licence`.
"""


def data_hash(data: Data) -> str | None:
    """Return the SHA-256 of data in memory, or of what a data set's `fingerprint()` returns; None where it has none."""
    if isinstance(data, TensorData):
        return data.sha256()
    fingerprint = getattr(data, "fingerprint", None)
    return hashlib.sha256(str(fingerprint()).encode()).hexdigest() if callable(fingerprint) else None


def data_licence(data: Data) -> str | None:
    """Return what data says of its licence, `"CC-BY-SA-3.0"`; None where it says nothing."""
    licence = getattr(data, "licence", None)
    return licence if isinstance(licence, str) else None


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
        """Return `(rows, *shape)` of what the method of this name draws: float32, and int64 for `"integers"`."""
        size, random, device = (self.total, *shape), self.random, self.random.device
        match distribution:
            case "uniform":
                numbers = torch.rand(size, generator=random, device=device)
            case "normal":
                numbers = torch.randn(size, generator=random, device=device)
            case _:
                numbers = torch.randint(high, size, generator=random, device=device)
        return numbers[self.rows]


def form(tensor: Tensor | None) -> str:
    """Write a tensor as its shape and dtype: `"(32, 1, 28, 28) float32"`."""
    return "None" if tensor is None else f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"


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

    samples: Tensor = field(repr=form)
    labels: Tensor | None = field(default=None, repr=form)
    step: int = 0
    total: int = Factory(lambda batch: len(batch.samples), takes_self=True)
    rows: slice = slice(None)
    more: Mapping[str, Tensor] = field(default=NO_ENTRIES, repr=lambda more: f"<{', '.join(more)}>")
    total_steps: int = 0

    def __len__(self) -> int:
        return len(self.samples)

    def row_random(self, random: torch.Generator) -> RowRandom:
        """Return random numbers for these rows."""
        return RowRandom(random, self.total, self.rows)

    def split(self, parts: int) -> Iterator[tuple["Batch", slice]]:
        """Yield this many parts, of sizes as equal as can be, each with the rows of this batch that it has."""
        first = self.rows.indices(self.total)[0]
        for part in range(parts):
            rows = slice(len(self) * part // parts, len(self) * (part + 1) // parts)
            labels = None if self.labels is None else self.labels[rows]
            more = {name: entry[rows] for name, entry in self.more.items()}
            place = slice(first + rows.start, first + rows.stop)
            yield evolve(self, samples=self.samples[rows], labels=labels, more=more, rows=place), rows
