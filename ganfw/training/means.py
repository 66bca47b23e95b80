"""Means over the steps between two displays and over all processes, gathered on the device and read once."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ganfw.distributed.process_group import ProcessGroup
from ganfw.errors import PartError, RunError

RESERVED = ("step", "epoch", "images", "seconds", "warnings")
"""What a line of metrics says of itself; no statistic can have such a name."""


def check_statistics(label: str, statistics: Mapping[str, Any], device: torch.device) -> None:
    """Make sure that what a step logs can be logged: detached scalars on the device, under names that can be shown.

    Args:
        label: how errors name the step.
        statistics: by name.
        device: where the run is.

    Raises:
        PartError: a name or a value is not.
    """
    for name, value in statistics.items():
        if not name or not name.isprintable() or name in RESERVED:
            raise PartError(
                f"{label} logs a statistic called {name!r:.60}; choose a printable name other than {RESERVED}"
            )
        if not isinstance(value, Tensor) or value.shape != () or not value.dtype.is_floating_point:
            found = f"{tuple(value.shape)} {value.dtype}" if isinstance(value, Tensor) else type(value).__name__
            raise PartError(f"{label} logs '{name}' as {found}; a scalar tensor () of floating point is needed")
        if value.requires_grad or value.device.type != device.type:
            raise PartError(
                f"{label} logs '{name}' {'with its graph' if value.requires_grad else 'elsewhere'}: detach it"
            )


class RunningMeans:
    """The mean of each statistic over the steps that gave it; adding never waits for the device."""

    def __init__(self, processes: ProcessGroup) -> None:
        self._processes = processes
        self._steps: dict[str, int] = {}
        self._sums: dict[str, Tensor] = {}

    def add(self, statistics: Mapping[str, Tensor]) -> None:
        """Add one step's statistics, scalars on the device: means over this process's rows of the batch."""
        alone = self._processes.size == 1
        for name, value in statistics.items():
            if name not in self._sums:
                # MPS has no float64.
                dtype = torch.float32 if value.device.type == "mps" else torch.float64
                self._sums[name] = torch.zeros((), dtype=dtype, device=value.device)
                self._steps[name] = 0
            self._sums[name] += value if alone else value * self._processes.weight
            self._steps[name] += 1

    def means(self) -> dict[str, float]:
        """Read the means from the device; every process takes part."""
        totals = {name: self._processes.gather(total).sum(0) for name, total in self._sums.items()}
        return {name: float(total) / self._steps[name] for name, total in totals.items()}

    def clear(self) -> None:
        """Begin anew."""
        self._steps = {}
        self._sums = {}

    def state_dict(self) -> dict[str, Any]:
        """Return the state of all processes for a resume; every process takes part."""
        sums = {name: self._processes.gather(total) for name, total in self._sums.items()}
        return {"steps": dict(self._steps), "sums": sums}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Take back what `state_dict` returned.

        Raises:
            RunError: running means have no such state.
        """
        steps, sums = state["steps"], state["sums"]
        are_counted = isinstance(steps, dict) and isinstance(sums, dict) and steps.keys() == sums.keys()
        if not are_counted or not all(self._is_sum(name, steps[name], sums[name]) for name in sums):
            raise RunError("the state of the running means does not fit")
        self._steps = dict(steps)
        self._sums = {name: totals[self._processes.rank].to(device, copy=True) for name, totals in sums.items()}

    def _is_sum(self, name: Any, steps: Any, totals: Any) -> bool:
        """Whether this is the name of a statistic, which terminals may show, and a number of each process."""
        shape = (self._processes.size,)
        are_numbers = isinstance(totals, Tensor) and totals.shape == shape and totals.is_floating_point()
        return isinstance(name, str) and name.isprintable() and type(steps) is int and steps >= 1 and are_numbers
