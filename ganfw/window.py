"""Means over a window of steps, gathered on the device and read once."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


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
        """Take back what `state_dict` returned."""
        self.steps = state["steps"]
        self._sums = {name: total.to(device, copy=True) for name, total in state["sums"].items()}
