"""The checkpoint callback."""

from typing import Annotated

from annotated_types import Ge

from ganfw import Callback, Training, check_space, remove_leftovers, save_checkpoint


class Checkpoint(Callback):
    """Saves all state every few steps and at the end, and removes old checkpoints."""

    needs_directory = True

    def __init__(
        self,
        *,
        every_steps: Annotated[int, Ge(1), "steps between two checkpoints"] = 1000,
        keep: Annotated[int, Ge(1), "newest checkpoints that are kept"] = 2,
    ) -> None:
        self.every_steps = every_steps
        self.keep = keep
        self._saved_step = -1

    def on_start(self, training: Training) -> None:
        """Clean up after a crash, and fail early if the disk is too full."""
        remove_leftovers(training, keep=self.keep)
        check_space(training)
        folder = training.require_directory("checkpoint") / "checkpoints"
        if training.step and not any(folder.glob("step-*")):  # it begins with the state of another run
            self._save(training)
        self._saved_step = training.step  # if training continues from a checkpoint, this is it

    def on_step_end(self, training: Training) -> None:
        """Save if it is time."""
        if training.step % self.every_steps == 0:
            self._save(training)

    def on_end(self, training: Training) -> None:
        """Save the state that training ended or stopped in."""
        if training.step != self._saved_step:
            self._save(training)

    def _save(self, training: Training) -> None:
        save_checkpoint(training, keep=self.keep)
        self._saved_step = training.step
