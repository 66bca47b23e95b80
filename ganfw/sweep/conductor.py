"""Run the trials of a sweep, some at a time, until all are done or something asks to stop."""

import contextlib
import json
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from attrs import frozen
from tqdm import tqdm

from ganfw.errors import GanfwError, RunError
from ganfw.ledger.records import RunRecord, read_run
from ganfw.plugins.registry import Registry
from ganfw.protocols import Launcher, TrialJob, TrialTask
from ganfw.sweep.folder import LOGS, Found, record_end
from ganfw.sweep.trials import Trial
from ganfw.sweep.worker import COMMAND, ENDED_EARLY, FAILED, FINISHED, INTERRUPTED, PRUNED, request_of
from ganfw.terminal import blank, terminal_columns

POLL_SECONDS = 0.05
LOOK_SECONDS = 0.5
BAR_COLUMNS = 40
"""What the line on a terminal takes beside the names of running trials."""


@frozen
class End:
    """How a trial ended."""

    state: str
    reason: str = ""


class TrialSource(Protocol):
    """What is run: all trials of a grid, or those that a search chooses."""

    @property
    def total(self) -> int:
        """How many trials there are in all."""
        ...

    @property
    def done(self) -> int:
        """How many of them were done at the beginning."""
        ...

    def take(self) -> Trial | None:
        """Return a trial to start now, None if there is none."""
        ...

    def ended(self, name: str) -> None:
        """Take notice that a trial has ended for good."""
        ...

    def given_up(self, running: Sequence[RunRecord]) -> list[str]:
        """Return which of the running trials are not worth continuing."""
        ...


class Waiting:
    """The trials of a grid that are not done."""

    def __init__(self, found: Found) -> None:
        self._waiting = found.waiting()
        self.total = len(found.trials)
        self.done = self.total - len(self._waiting)

    def take(self) -> Trial | None:
        """Return the first."""
        return self._waiting.pop(0) if self._waiting else None

    def ended(self, name: str) -> None:
        """Nothing depends on it."""

    def given_up(self, running: Sequence[RunRecord]) -> list[str]:
        """None of them."""
        return []


class Conductor:
    """Runs trials by a launcher."""

    def __init__(
        self, folder: Path, trials: TrialSource, launcher: Launcher, registry: Registry, command: Sequence[str] = ()
    ) -> None:
        self._folder = folder
        self._trials = trials
        self._launcher = launcher
        self._registry = registry
        self._command = command
        self._running: dict[str, TrialJob] = {}
        self._pruned: set[str] = set()
        self._looked = 0.0
        self._stopping = False
        self._display = _Display(trials.total, trials.done)

    def stop(self, _reason: str) -> None:
        """Start no more trials, and stop those that run after the current step."""
        self._stopping = True

    def run(self) -> None:
        """Run until there is nothing left to do."""
        asked = False
        try:
            while True:
                while len(self._running) < self._launcher.jobs and (trial := self._next()):
                    self._start(trial)
                if not self._running:
                    return
                if self._stopping and not asked:
                    asked = True
                    self._display.say("stopping: each running trial saves a checkpoint; again: stop at once")
                    for job in self._running.values():
                        job.stop()
                for name, job in list(self._running.items()):
                    if (end := self._end_of(name, job)) is not None:
                        del self._running[name]
                        self._end(name, end)
                self._look()
                time.sleep(POLL_SECONDS)
        finally:
            self._display.close()
            for job in self._running.values():
                job.kill()

    def _look(self) -> None:
        """See how far the running trials are, if it is time."""
        if time.monotonic() < self._looked + LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        running = [read_run(path, name) for name in self._running if (path := self._folder / name).is_dir()]
        self._display.show(running)
        for name in self._trials.given_up(running):
            self._pruned.add(name)
            self._running[name].stop()

    def _next(self) -> Trial | None:
        return None if self._stopping else self._trials.take()

    def _log(self, name: str) -> Path:
        return self._folder / LOGS / f"{name}.log"

    def _start(self, trial: Trial) -> None:
        request = request_of(self._folder / trial.name, trial.resolved, self._registry, self._command)
        try:
            self._running[trial.name] = self._launcher.start(
                TrialTask(trial.name, COMMAND, request, self._log(trial.name))
            )
        except GanfwError as error:
            self._end(trial.name, End(FAILED, str(error)))
        else:
            self._display.say(f"started   {trial.name}", only_without_terminal=True)

    def _end_of(self, name: str, job: TrialJob) -> End | None:
        try:
            result = job.result()
        except GanfwError as error:
            return End(FAILED, str(error))
        return None if result is None else _end_of(*result, self._log(name))

    def _end(self, name: str, end: End) -> None:
        if name in self._pruned and end.state == INTERRUPTED:
            end = End(PRUNED, "worse during training than the median of earlier settings")
        if end.state in (FAILED, ENDED_EARLY, PRUNED):
            try:
                record_end(self._folder, name, end.state, end.reason)
            except RunError as error:
                self._display.say(str(error))
        self._display.end(name, end, self._folder)
        if end.state != INTERRUPTED:
            self._trials.ended(name)


def _end_of(status: int, printed: str, log: Path) -> End:
    """Return how a trial ended, by the last line that its process printed, or else by its exit status."""
    with contextlib.suppress(ValueError, LookupError, TypeError):
        said = json.loads(printed.splitlines()[-1])
        if said["state"] in (FINISHED, INTERRUPTED, ENDED_EARLY, FAILED):
            return End(said["state"], str(said["reason"]))
    if status >= 0:
        return End(FAILED, f"its process ended with exit status {status}; {log} has what it printed")
    name = signal.Signals(-status).name if -status in list(signal.Signals) else f"signal {-status}"
    hint = ", as the system does when memory is full" if name == "SIGKILL" else ""
    return End(FAILED, f"its process was ended by {name}{hint}")


class _Display:
    """One line for the whole sweep on a terminal, and a line for each trial that ends."""

    def __init__(self, total: int, done: int) -> None:
        self._total = total
        self._done = done
        self._failed = 0
        self._is_terminal = sys.stderr is not None and sys.stderr.isatty()
        self._bar: Any = tqdm(
            total=total,
            initial=done,
            file=sys.stderr,
            disable=not self._is_terminal,
            dynamic_ncols=True,
            smoothing=0,
            leave=False,
            bar_format="{desc}  {remaining} left  {bar:10}  {unit}",  # whose unit is what runs now
        )

    def say(self, line: str, *, only_without_terminal: bool = False) -> None:
        if not (only_without_terminal and self._is_terminal) and sys.stderr is not None:
            with contextlib.suppress(OSError):
                tqdm.write(blank(line), file=sys.stderr)

    def end(self, name: str, end: End, folder: Path) -> None:
        """Say how a trial ended."""
        self._done += end.state != INTERRUPTED
        self._failed += end.state == FAILED
        line = f"{end.state:9} {name}"
        if end.state == FINISHED:
            results = read_run(folder / name, name)
            line += "".join(f"  {key} {value:.4g}" for key, value in [*results.metrics.items()][:1])
        elif end.reason and end.state != INTERRUPTED:
            line += f": {end.reason}"
        self.say(f"{line}  ({self._done} of {self._total})" if end.state != INTERRUPTED else line)

    def show(self, running: Sequence[RunRecord]) -> None:
        """Draw the line anew."""
        if not self._is_terminal:
            return
        shares = {run.name: run.step / run.total_steps if run.total_steps else 0.0 for run in running}
        room = ((terminal_columns(sys.stderr) or 80) - BAR_COLUMNS) // max(1, len(shares))
        failed = f", {self._failed} failed" if self._failed else ""
        self._bar.n = self._done + sum(shares.values())
        self._bar.set_description_str(f"{self._done}/{self._total} trials{failed}", refresh=False)
        self._bar.unit = "  ".join(f"{share:.0%} {name}"[: max(room, 12) - 2] for name, share in shares.items())
        self._bar.refresh()

    def close(self) -> None:
        self._bar.close()
