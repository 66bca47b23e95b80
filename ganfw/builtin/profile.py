"""What the time of a step goes to."""

import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import torch
from annotated_types import Ge
from torch.autograd.profiler_util import FunctionEventAvg
from torch.profiler import profile

from ganfw import Callback, Training, terminal_table, write_atomically

OPERATORS = 25
"""How many operators are in the table."""


class Profile(Callback):
    """Records some steps with torch.profiler: `profile/trace.json` for a viewer, `profile/table.txt` for a reader.

    The table says what the time of a step went to: first by regions of the loop, then by torch's operators, each
    without those that it calls. What is trained is the same as without. Steps are slower while they are recorded.
    """

    needs_directory = True

    def __init__(
        self,
        *,
        start_step: Annotated[int, Ge(0), "recording begins after this step"] = 10,
        steps: Annotated[int, Ge(1), "steps to record"] = 20,
    ) -> None:
        self.start_step = start_step
        self.steps = steps
        self._profiler: profile | None = None
        self._started = 0.0

    def on_start(self, training: Training) -> None:
        """Begin if it is time."""
        self.on_step_end(training)

    def on_step_end(self, training: Training) -> None:
        """Begin or end if it is time."""
        if self._profiler is None and training.step == self.start_step and not training.finished:
            self._profiler = profile()  # of the processor, and of a GPU where there is one
            self._profiler.start()
            self._started = time.perf_counter()
        elif self._profiler is not None and training.step == self.start_step + self.steps:
            self._end(training)

    def on_end(self, training: Training) -> None:
        """End with the steps there were."""
        if self._profiler is not None:
            self._end(training)
        elif training.finished and training.step <= self.start_step:
            training.say(f"profile: no step was recorded, because the run has none after step {self.start_step}")

    def _end(self, training: Training) -> None:
        assert self._profiler is not None
        seconds = time.perf_counter() - self._started
        profiler, self._profiler = self._profiler, None
        profiler.stop()
        steps = training.step - self.start_step
        if steps == 0:  # asked to stop just as recording began
            return
        averages = profiler.key_averages()
        rows = _rows_of_regions(averages, steps, seconds * 1e3 / steps)
        where = f"{training.experiment.device}, threads: {torch.get_num_threads()}"
        head = f"steps {self.start_step + 1} to {training.step}: {seconds * 1e3 / steps:.2f} ms a step on {where}"
        operators = averages.table("self_cpu_time_total", row_limit=OPERATORS, max_name_column_width=40)
        folder = training.require_directory("profile") / "profile"
        write_atomically(folder / "table.txt", f"{head}\n\n{terminal_table(rows)}\n\n{operators}".encode())
        with tempfile.TemporaryDirectory() as temporary:
            trace = Path(temporary) / "trace.json"
            profiler.export_chrome_trace(str(trace))
            write_atomically(folder / "trace.json", trace.read_bytes())
        training.say(f"profile of {head}\n\n{terminal_table(rows, sys.stderr)}\n")
        training.say(f"  {folder / 'table.txt'} has the operators that took most")
        training.say(f"  {folder / 'trace.json'} opens in https://ui.perfetto.dev")


def _rows_of_regions(averages: Iterable[FunctionEventAvg], steps: int, whole: float) -> list[tuple[str, str, str]]:
    """Return the rows of a table of milliseconds a step and shares; `whole` is what a step took."""
    times: dict[str, float] = {str(each.key): each.cpu_time_total / 1e3 / steps for each in averages}
    regions = {name: time for name, time in times.items() if name.startswith("ganfw.")}
    inner = {f"of it {name}": time for name, time in times.items() if name.startswith("Optimizer.step")}
    others = {name: time for name, time in regions.items() if name != "ganfw.step"}
    parts = {"ganfw.step": regions.get("ganfw.step", 0.0), **inner, **others, "the loop": whole - sum(regions.values())}
    rows = [(name, f"{time:.3f}", f"{time / whole:.1%}") for name, time in {**parts, "all": whole}.items()]
    return [("region", "ms/step", "share"), *rows]
