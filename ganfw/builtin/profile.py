"""What the time of a step goes to."""

import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated

import torch
from annotated_types import Ge
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile

from ganfw import Callback, Training, terminal_table, write_atomically

MATRIX, ELEMENTWISE, OPTIMIZER, COPIES, DATA, CALLBACKS, DISPATCH = PARTS = (
    "matrix products",
    "element-wise, normalisation",
    "optimizer",
    "copies",
    "data",
    "callbacks",
    "dispatch and Python",
)
"""What a step is divided into. Every moment of it belongs to one part: dispatch and Python is what no other has."""

_WHOLE = {"ganfw.data": DATA, "ganfw.callbacks.": CALLBACKS, "Optimizer.": OPTIMIZER}
"""How the names of regions begin that belong to one part with all that happens in them."""

_KERNELS = {
    MATRIX: r"_?(add|b|badd|addb)?mm(_\w+)?|addmv|mv|v?dot|(_?mkl(dnn)?_)?linear\w*|\w*conv\w*|\w*dot_product\w*",
    COPIES: r"copy_|clone|cat|stack|repeat|_foreach_copy_|pin_memory",
    DISPATCH: r"(empty|new_empty|expand|split|squeeze|unsqueeze|detach|is)\w*|t|to|_to_copy|contiguous|resize_|alias|"
    r"(_unsafe_)?view\w*|_?reshape\w*|transpose|permute|as_strided|select|slice|narrow|chunk|unbind|(un)?flatten|"
    r"item|_local_scalar_dense|result_type|lift_fresh",
    ELEMENTWISE: r"\w+",
}
"""What the operators of each part are called, without their namespace; the first that fits counts."""


class Profile(Callback):
    """Records some steps with torch.profiler: `profile/trace.json` for a viewer, `profile/table.txt` for a reader.

    The table says what the time of a step went to, on the processor that runs the loop; what a GPU does beside it is
    in the trace. What is trained is the same as without. Steps are slower while they are recorded.
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
        self._begin_or_end(training)

    def on_step_end(self, training: Training) -> None:
        """Begin or end if it is time."""
        self._begin_or_end(training)

    def on_end(self, training: Training) -> None:
        """End with the steps there were."""
        if self._profiler is not None:
            self._end(training)
        elif training.finished and training.step <= self.start_step:
            training.say(f"profile: no step was recorded, for there is none after step {self.start_step}")

    def _begin_or_end(self, training: Training) -> None:
        if self._profiler is None and training.step == self.start_step and not training.finished:
            activities = {ProfilerActivity.CPU}
            if training.experiment.device.type == "cuda":
                activities.add(ProfilerActivity.CUDA)
            self._profiler = profile(activities=activities)
            self._profiler.start()
            self._started = time.perf_counter()
        elif self._profiler is not None and training.step == self.start_step + self.steps:
            self._end(training)

    def _end(self, training: Training) -> None:
        assert self._profiler is not None
        seconds = time.perf_counter() - self._started
        profiler, self._profiler = self._profiler, None
        profiler.stop()
        steps = training.step - self.start_step
        if steps == 0:  # asked to stop just as recording began
            return
        rows = rows_of(divide(profiler.events() or [], round(seconds * 1e9)), steps)
        where = f"{training.experiment.device}, threads: {torch.get_num_threads()}"
        head = f"steps {self.start_step + 1} to {training.step}: {seconds * 1e3 / steps:.2f} ms a step on {where}"
        folder = training.require_directory("profile") / "profile"
        write_atomically(folder / "table.txt", f"{head}\n\n{terminal_table(rows)}\n".encode())
        with tempfile.TemporaryDirectory() as temporary:
            trace = Path(temporary) / "trace.json"
            profiler.export_chrome_trace(str(trace))
            write_atomically(folder / "trace.json", trace.read_bytes())
        training.say(f"profile of {head}\n\n{terminal_table(rows, sys.stderr)}\n")
        training.say(f"  {folder / 'trace.json'} opens in https://ui.perfetto.dev")


def divide(events: Iterable[FunctionEvent], nanoseconds: int) -> dict[str, Counter[str]]:
    """Return how many of the nanoseconds in which events were recorded each part took, by what took them."""
    times: dict[str, Counter[str]] = {part: Counter() for part in PARTS}
    for event in events:
        if event.device_type.name == "CPU":
            part, name = _place(event)
            times[part][name] += round(event.self_cpu_time_total * 1e3)
    times[DISPATCH]["loop"] += nanoseconds - sum(spent.total() for spent in times.values())
    return times


def _place(event: FunctionEvent) -> tuple[str, str]:
    """Return the part that an event's own time belongs to, and what to call it."""
    namespace, _, operator = event.name.rpartition("::")
    for region in _around(event):
        for prefix, part in _WHOLE.items():
            if region.startswith(prefix):
                return part, region.removeprefix(prefix) if part == CALLBACKS else operator.rpartition("#")[2]
    if event.name.startswith("## Call CompiledFxGraph"):  # where torch.compile leaves what is no matrix product
        return ELEMENTWISE, "compiled"
    if "autograd" in namespace or "Backward" in event.name:
        return DISPATCH, "autograd"
    if namespace in ("", "c10d"):  # c10d: what torch.distributed exchanges between processes
        return DISPATCH, operator
    return next(part for part, pattern in _KERNELS.items() if re.fullmatch(pattern, operator)), operator


def _around(event: FunctionEvent | None) -> Iterator[str]:
    """Yield the name of an event and of all that it happened in."""
    while event is not None:
        yield event.name
        event = event.cpu_parent


def rows_of(times: Mapping[str, Counter[str]], steps: int) -> list[tuple[str, str, str, str]]:
    """Return the rows of a table of milliseconds a step and shares, with what took most."""
    total = sum(spent.total() for spent in times.values())
    rows = [("part", "ms/step", "share", "most of it")]
    for part, spent in times.items():
        most = ", ".join(f"{name} {value / steps / 1e6:.2f}" for name, value in spent.most_common(3))
        rows.append((part, f"{spent.total() / steps / 1e6:.3f}", f"{spent.total() / total:.1%}", most))
    return [*rows, ("step", f"{total / steps / 1e6:.3f}", "100.0%", "")]
