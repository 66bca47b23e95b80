"""Noise for a batch that several processes share."""

from typing import Any

import torch
from torch import Tensor

from ganfw.distributed.process_group import ProcessGroup
from ganfw.errors import RunError
from ganfw.protocols import Noise


class SharedNoise:
    """Noise of which each process draws the whole batch's and uses its own rows: their number changes nothing.

    Everything else, such as `split`, is the noise part's own.
    """

    def __init__(self, noise: Noise, processes: ProcessGroup) -> None:
        self._noise = noise
        self._processes = processes

    def __getattr__(self, name: str) -> Any:
        if "_noise" not in vars(self):  # while it is being copied
            raise AttributeError(name)
        value = getattr(self._noise, name)
        if name == "truncated":
            return lambda threshold: SharedNoise(value(threshold), self._processes)
        return value

    def __call__(self, count: int, random: torch.Generator) -> Tensor:
        """Return this process's `(count, z_dim)` float32; `count` is a multiple of its rows of the batch.

        Raises:
            RunError: it is not.
        """
        processes = self._processes
        times, rest = divmod(count, processes.count)
        if rest:
            raise RunError(
                f"in several processes a step can draw noise for its batch only, not for {count} samples; train in one"
            )
        z = self._noise(times * processes.total, random)
        return z.reshape(times, processes.total, -1)[:, processes.rows].flatten(0, 1)
