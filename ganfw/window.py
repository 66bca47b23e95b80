"""Means over a window of steps, gathered on the device and read once."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ganfw.errors import RunError


class Window:
    """Sums of each statistic since the window began; adding never waits for the device."""

    def __init__(self) -> None:
        self.steps = 0
        self._sums: dict[str, Tensor] = {}

    def add(self, statistics: Mapping[str, Tensor]) -> None:
        """Add one step's statistics, scalars on the device; the names are the same in each step."""
        for name, value in statistics.items():
            if name not in self._sums:
                # MPS has no float64.
                dtype = torch.float32 if value.device.type == "mps" else torch.float64
                self._sums[name] = torch.zeros((), dtype=dtype, device=value.device)
            self._sums[name] += value
        self.steps += 1

    def means(self) -> dict[str, float]:
        """Read the means from the device."""
        return {name: float(total) / self.steps for name, total in self._sums.items()}

    def clear(self) -> None:
        """Begin a new window."""
        self.steps = 0
        self._sums = {}

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a resume."""
        return {"steps": self.steps, "sums": {name: total.clone() for name, total in self._sums.items()}}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Take back what `state_dict` returned.

        Raises:
            RunError: no window has such state.
        """
        steps, sums = state["steps"], state["sums"]
        if type(steps) is not int or steps < min(len(sums), 1) or not all(map(_is_sum, sums.items())):
            raise RunError("the state of the window is none that a window has")
        self.steps = steps
        self._sums = {name: total.to(device, copy=True) for name, total in sums.items()}


def _is_sum(item: tuple[Any, Any]) -> bool:
    """Whether this is the name of a statistic, which terminals may show, and a number on a device."""
    name, total = item
    is_number = isinstance(total, Tensor) and total.shape == () and total.is_floating_point()
    return isinstance(name, str) and name.isprintable() and is_number
