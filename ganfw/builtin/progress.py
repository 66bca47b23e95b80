"""Progress on the terminal."""

import os
import sys
from importlib.util import find_spec
from typing import Any

from tqdm import tqdm

from ganfw import Callback, Training, in_notebook, terminal_columns

_SHORT = {"generator": "G", "discriminator": "D"}
"""How the bar writes what is in the names of statistics."""


class Progress(Callback):
    """Shows a bar with step, speed, time left and losses, and on standard error a line for each window.

    A notebook with ipywidgets shows its own bar, and no lines. Without a terminal there are only the lines.
    """

    def __init__(self) -> None:
        self._bar: Any = None
        self._in_notebook = False
        self._steps_per_epoch = 1
        self._last_step = 0
        self._last_seconds = 0.0

    def on_start(self, training: Training) -> None:
        """Show the bar."""
        self._steps_per_epoch = training.experiment.batches.per_epoch
        self._last_step, self._last_seconds = training.step, training.seconds
        common: dict[str, Any] = {
            "total": training.total_steps,
            "initial": training.step,
            "unit": "",
            "smoothing": 0.05,
            "mininterval": 0.2,
            "bar_format": "step {n_fmt}/{total_fmt}  {rate_noinv_fmt}  {remaining} left  {desc}  {bar}",
        }
        self._in_notebook = in_notebook() and find_spec("ipywidgets") is not None
        if self._in_notebook:
            from tqdm.notebook import tqdm as notebook_bar

            self._bar = notebook_bar(**common)
        else:
            shown = sys.stderr is not None and sys.stderr.isatty()
            self._bar = _Bar(**common, file=sys.stderr, disable=not shown, dynamic_ncols=True, leave=False)

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
        self._describe(training)
        if self._in_notebook:
            return
        width = len(str(training.total_steps))
        epochs = -(-training.total_steps // training.experiment.batches.per_epoch)
        values = "  ".join(f"{name} {value:.4f}" for name, value in training.means.items())
        training.say(
            f"step {training.step:{width}}  epoch {training.epoch:{len(str(epochs))}}/{epochs}  {values}  "
            f"{speed:.1f} steps/s  {tqdm.format_interval(left)} left"
        )

    def on_end(self, training: Training) -> None:
        """Take the bar away."""
        self._bar.close()

    def _describe(self, training: Training) -> None:
        losses = "".join(f"  {_short(name)} {value:.3f}" for name, value in training.means.items())
        self._bar.set_description_str(f"epoch {training.epoch}{losses}", refresh=False)


class _Bar(tqdm):  # type: ignore[type-arg]
    """A bar that leaves nothing behind where the terminal became narrower and has wrapped it."""

    _length = 0  # of what was drawn last

    def display(self, msg: str | None = None, pos: int | None = None) -> Any:
        self._erase_wrapped()
        shown = super().display(msg, pos)
        self._length = self.ncols or 0
        return shown

    def clear(self, nolock: bool = False) -> None:
        self._erase_wrapped()
        super().clear(nolock)

    def _erase_wrapped(self) -> None:
        columns = terminal_columns(self.fp)
        if columns and columns < self._length and os.environ.get("TERM") != "dumb":
            self.fp.write(f"\x1b[{(self._length - 1) // columns}A\r\x1b[J")
            self.sp = self.status_printer(self.fp)  # which knows no length that it would fill up with spaces
            self._length = 0


def _short(name: str) -> str:
    """Write the name of a statistic as the bar has room for it: `"loss/generator"` is `"G"`."""
    return "/".join(_SHORT.get(word, word) for word in name.removeprefix("loss/").split("/"))
