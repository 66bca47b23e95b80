"""The events of a training run, and all that a callback can do.

A callback tells, shows and saves. It cannot change gradients; its only way back is `training.stop(reason)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganfw.training.loop import Training


class Callback:
    """Base of callbacks: every event does nothing until it is overridden.

    In one step the events come in this order: `on_log` (if a window ends), `on_step`, `on_step_end`.
    """

    def on_start(self, training: Training) -> None:
        """Training begins, or goes on after a resume; state is loaded."""

    def on_log(self, training: Training) -> None:
        """A window ended: `training.means` holds its statistics as floats, read from the device just now."""

    def on_step(self, training: Training) -> None:
        """A step is done. Reading a tensor's value here waits for the device: do it every so many steps."""

    def on_step_end(self, training: Training) -> None:
        """Every callback has handled the step. What is saved here misses nothing of it."""

    def on_end(self, training: Training) -> None:
        """Training is finished, or was asked to stop: see `training.finished`."""

    def state_dict(self) -> dict[str, Any]:
        """Return what this callback needs to go on after a resume: tensors, numbers, strings, lists and dicts."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned, before `on_start`."""


EVENTS = tuple(name for name in vars(Callback) if name.startswith("on_"))
"""The methods of a callback that a training run calls."""
