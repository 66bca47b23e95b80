"""The events of a training run, and all that a callback can do.

A callback reports, shows and saves. It cannot change gradients; its only way back is `training.stop(reason)`.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from ganfw.training.loop import Training

Event = Callable[[Any, Training], None]


def _does_nothing(method: Event) -> Event:
    """Mark an event that is not called unless it is overridden."""
    method.does_nothing = True  # type: ignore[attr-defined]
    return method


class Callback:
    """Base of callbacks: every event does nothing until it is overridden.

    In one step the events come in this order: `on_log` (if it ends a window), `on_step`, `on_step_end`.

    Attributes:
        needs_directory: whether it writes files; it is left out where the training has no directory.
    """

    needs_directory: ClassVar[bool] = False

    @_does_nothing
    def on_start(self, training: Training) -> None:
        """Training begins, or continues after a resume; state is loaded."""

    @_does_nothing
    def on_log(self, training: Training) -> None:
        """`training.means` holds the means of the steps since the last time, as floats, just read from the device."""

    @_does_nothing
    def on_step(self, training: Training) -> None:
        """A step is done. Reading a tensor's value here waits for the device: do it every few steps."""

    @_does_nothing
    def on_step_end(self, training: Training) -> None:
        """Every callback has handled the step. What is saved here misses nothing of it."""

    @_does_nothing
    def on_end(self, training: Training) -> None:
        """Training is finished, or was asked to stop: see `training.finished`."""

    def state_dict(self) -> dict[str, Any]:
        """Return what this callback needs to continue after a resume: tensors, numbers, strings, lists and dicts."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned, before `on_start`."""
