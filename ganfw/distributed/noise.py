"""Noise for a batch that several processes share."""

import torch
from torch import Tensor

from ganfw.distributed.process_group import ProcessGroup
from ganfw.errors import RunError
from ganfw.protocols import Noise


class SharedNoise:
    """Noise of which each process draws the whole batch's and uses its own rows: their number changes nothing."""

    def __init__(self, noise: Noise, world: ProcessGroup) -> None:
        self._noise = noise
        self._world = world

    @property
    def z_dim(self) -> int:
        """Length of one noise vector."""
        return self._noise.z_dim

    @property
    def device(self) -> torch.device:
        """Where the noise is created."""
        return self._noise.device

    def __call__(self, count: int, random: torch.Generator) -> Tensor:
        """Return this process's `(count, z_dim)` float32; `count` is a multiple of its rows of the batch.

        Raises:
            RunError: it is not.
        """
        world = self._world
        times, rest = divmod(count, world.count)
        if rest:
            raise RunError(f"in several processes a step can draw noise for its batch only, not for {count} samples")
        z = self._noise(times * world.total, random)
        return z.reshape(times, world.total, -1)[:, world.rows].flatten(0, 1)
