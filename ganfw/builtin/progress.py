"""Progress on the terminal."""

import sys
from typing import Any

from tqdm import tqdm

from ganfw import Callback, Training


class Progress(Callback):
    """Shows a bar with epoch, speed, time left and losses; where there is no terminal, a line for each window."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._steps_per_epoch = 1
        self._last_step = 0
        self._last_seconds = 0.0

    def on_start(self, training: Training) -> None:
        """Show the bar."""
        self._steps_per_epoch = training.experiment.batches.per_epoch
        self._last_step, self._last_seconds = training.step, training.seconds
        self._bar = tqdm(
            total=training.total_steps,
            initial=training.step,
            unit=" steps",
            file=sys.stderr,
            disable=not sys.stderr.isatty(),
            dynamic_ncols=True,
            smoothing=0.05,
            mininterval=0.2,
            leave=False,
            bar_format="{desc} {bar:20} {n_fmt}/{total_fmt} steps  {rate_noinv_fmt}  {remaining} left",
        )

    def on_step(self, training: Training) -> None:
        """Move the bar."""
        if training.step == 1 or training.step % self._steps_per_epoch == 1:
            self._describe(training)
        self._bar.update()

    def on_log(self, training: Training) -> None:
        """Print a line, unless it is an old one: a resume of a finished run logs its last window again."""
        if training.step == self._last_step:
            return
        speed = (training.step - self._last_step) / max(training.seconds - self._last_seconds, 1e-9)
        left = (training.total_steps - training.step) / speed
        self._last_step, self._last_seconds = training.step, training.seconds
        width = len(str(training.total_steps))
        values = "  ".join(f"{name} {value:.4f}" for name, value in training.means.items())
        training.say(
            f"step {training.step:{width}}  epoch {_epochs(training)}  {values}  "
            f"{speed:.1f} steps/s  {tqdm.format_interval(left)} left"
        )
        self._describe(training)

    def on_end(self, training: Training) -> None:
        """Take the bar away."""
        self._bar.close()

    def _describe(self, training: Training) -> None:
        losses = "".join(f"  {name.rpartition('/')[2]} {value:.3f}" for name, value in training.means.items())
        self._bar.set_description_str(f"epoch {_epochs(training)}{losses}", refresh=False)


def _epochs(training: Training) -> str:
    total = -(-training.total_steps // training.experiment.batches.per_epoch)
    return f"{training.epoch:{len(str(total))}}/{total}"
