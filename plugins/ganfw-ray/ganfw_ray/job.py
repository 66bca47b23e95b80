"""A trial on a Ray cluster."""

import re
import time
import uuid
from pathlib import Path
from typing import Any

import ray
from ray import exceptions

from ganfw import RunError, TrialTask
from ganfw_ray.trial_process import KILLED, TrialProcess

MAX_STARTS = 6
"""A trial whose Ray worker is lost so many times has failed."""
KILL_SECONDS = 1.0
"""How long a trial may take to be killed by its Ray worker, before the worker is killed instead."""


class RayJob:
    """A trial that the cluster runs, again on another node if it loses the first."""

    def __init__(self, task: TrialTask, resources: dict[str, float], variables: dict[str, str]) -> None:
        self._task = task
        self._actors: Any = ray.remote(TrialProcess).options(**resources, max_concurrency=2)
        self._variables = variables
        self._starts = 0
        self._stopped = False
        self._killed = False
        self._start_at: float | None = None
        self._start()

    def result(self) -> tuple[int, str] | None:
        """Return None while it runs or waits for a node, then its exit status and what it printed.

        Raises:
            RunError: a node could not run it, or it was lost too many times.
        """
        if self._start_at is not None:
            return self._start_again(self._start_at)
        if not ray.wait([self._end], timeout=0)[0]:
            return None
        try:
            status, printed = ray.get(self._end)
        except exceptions.RayTaskError as error:
            raise RunError(str(error.cause)) from error
        except exceptions.RayError as error:
            return self._lost(error)
        return status, printed

    def stop(self) -> None:
        """Close its standard input, or have that done as soon as it runs."""
        self._stopped = True
        self._process.stop.remote()

    def kill(self) -> None:
        """End it at once."""
        self._killed = True
        ray.wait([self._process.kill.remote()], timeout=KILL_SECONDS)
        ray.kill(self._process)

    def _start(self) -> None:
        self._starts += 1
        folder = Path.cwd()
        log = folder / self._task.log
        mark = f"ray: start {self._starts}, {uuid.uuid4().hex}\n"
        try:
            with log.open("a") as lines:
                lines.write(mark)
        except OSError as error:
            raise RunError(f"{log}: cannot be written: {error.strerror}") from error
        self._process = self._actors.remote(self._stopped)
        self._end = self._process.run.remote(self._task.command, self._task.request, folder, log, mark, self._variables)

    def _lost(self, error: exceptions.RayError) -> tuple[int, str] | None:
        """Have it started again, unless it was killed."""
        ray.kill(self._process)  # a worker that cannot be reached may yet live
        if self._killed:
            return KILLED, ""
        if self._starts == MAX_STARTS:
            raise RunError(f"its Ray worker was lost {MAX_STARTS} times, last: {_reason(error)}") from error
        # Ray may take a while to notice that a node is gone, and lose the trial there again.
        self._start_at = time.monotonic() + 2 ** (self._starts - 1)
        return None

    def _start_again(self, at: float) -> tuple[int, str] | None:
        """Start it if it is time; if it is asked to stop, at once, so that it reports how far it is."""
        if self._killed:
            return KILLED, ""
        if self._stopped or time.monotonic() >= at:
            self._start_at = None
            self._start()
        return None


def _reason(error: exceptions.RayError) -> str:
    """Return the last line of what Ray says, without its guesses at causes."""
    line = str(error).strip().rpartition("\n")[2].strip()
    return re.split(" (?:Some common|There are some potential root) causes", line)[0]
