"""Random numbers for the rows of a batch."""

import torch
from attrs import frozen
from torch import Tensor


@frozen(eq=False)
class Draws:
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
