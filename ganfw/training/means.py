"""Means over a window of steps and over all processes, gathered on the device and read once."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ganfw.distributed.process_group import ProcessGroup
from ganfw.errors import RunError


class Window:
    """Sums of each statistic since the window began; adding never waits for the device."""

    def __init__(self, world: ProcessGroup) -> None:
        self.steps = 0
        self._world = world
        self._sums: dict[str, Tensor] = {}

    def add(self, statistics: Mapping[str, Tensor]) -> None:
        """Add one step's statistics, scalars on the device: means over this process's rows of the batch.

        The names are the same in each step.
        """
        alone = self._world.size == 1
        for name, value in statistics.items():
            if name not in self._sums:
                # MPS has no float64.
                dtype = torch.float32 if value.device.type == "mps" else torch.float64
                self._sums[name] = torch.zeros((), dtype=dtype, device=value.device)
            self._sums[name] += value if alone else value * self._world.weight
        self.steps += 1

    def means(self) -> dict[str, float]:
        """Read the means from the device; every process takes part."""
        totals = {name: self._world.gather(total).sum(0) for name, total in self._sums.items()}
        return {name: float(total) / self.steps for name, total in totals.items()}

    def clear(self) -> None:
        """Begin a new window."""
        self.steps = 0
        self._sums = {}

    def state_dict(self) -> dict[str, Any]:
        """Return the state of all processes for a resume; every process takes part."""
        return {"steps": self.steps, "sums": {name: self._world.gather(total) for name, total in self._sums.items()}}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Take back what `state_dict` returned.

        Raises:
            RunError: no window has such state.
        """
        steps, sums = state["steps"], state["sums"]
        if type(steps) is not int or steps < min(len(sums), 1) or not all(map(self._is_sum, sums.items())):
            raise RunError("the state of the window is none that a window has")
        self.steps = steps
        self._sums = {name: totals[self._world.rank].to(device, copy=True) for name, totals in sums.items()}

    def _is_sum(self, item: tuple[Any, Any]) -> bool:
        """Whether this is the name of a statistic, which terminals may show, and a number of each process."""
        name, totals = item
        are_numbers = isinstance(totals, Tensor) and totals.shape == (self._world.size,) and totals.is_floating_point()
        return isinstance(name, str) and name.isprintable() and are_numbers
