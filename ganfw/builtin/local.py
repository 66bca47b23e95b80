"""The trials of a sweep as processes on this machine."""

import contextlib
import os
import subprocess
from collections.abc import Callable
from typing import Annotated

import torch
from annotated_types import Ge

from ganfw import RunError, TrialTask


class Local:
    """Runs trials as processes on this machine, several at once if wished.

    The threads that torch would use are divided among them. Where there are GPUs, each trial sees one, and trials share
    them in turn if there are more trials at once than GPUs.
    """

    def __init__(
        self,
        *,
        jobs: Annotated[Annotated[int, Ge(1)] | None, "trials at once; by default one for each GPU, or one"] = None,
        threads: Annotated[Annotated[int, Ge(1)] | None, "of each trial; by default torch's, divided"] = None,
    ) -> None:
        self._gpus = _gpus()
        self.jobs = jobs or len(self._gpus) or 1
        self._threads = threads or max(1, torch.get_num_threads() // self.jobs)
        self._places = list(range(self.jobs))

    def start(self, task: TrialTask) -> "LocalJob":
        """Start a trial.

        Raises:
            RunError: the system refuses.
        """
        place = self._places.pop(0)
        environment = {**os.environ, "OMP_NUM_THREADS": str(self._threads)}
        if self._gpus:
            environment["CUDA_VISIBLE_DEVICES"] = self._gpus[place % len(self._gpus)]
        try:
            return LocalJob(task, environment, lambda: self._places.append(place))
        except OSError as error:
            self._places.append(place)
            raise RunError(f"trial '{task.name}' cannot be started: {error.strerror}") from error


class LocalJob:
    """A process that runs a trial. It notices that standard input is closed, also when this process is killed."""

    def __init__(self, task: TrialTask, environment: dict[str, str], ended: Callable[[], None]) -> None:
        self._ended = ended
        with task.log.open("ab") as log:
            self._process = subprocess.Popen(
                task.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                start_new_session=True,  # Ctrl-C is for the sweep, which asks its trials to stop
            )
        self._write(f"{task.request}\n".encode())

    def result(self) -> tuple[int, str] | None:
        """Return None while it runs, then its exit status and what it printed."""
        status = self._process.poll()
        if status is None:
            return None
        assert self._process.stdout
        with self._process.stdout as stdout:
            printed = stdout.read().decode(errors="replace")
        self.stop()
        self._ended()
        return status, printed

    def stop(self) -> None:
        """Close its standard input."""
        assert self._process.stdin
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def _write(self, content: bytes) -> None:
        assert self._process.stdin
        with contextlib.suppress(OSError):  # it has ended already, which its result says
            self._process.stdin.write(content)
            self._process.stdin.flush()


def _gpus() -> list[str]:
    """Return how CUDA_VISIBLE_DEVICES names each GPU that this process may use."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = torch.cuda.device_count()
    return [name.strip() for name in given.split(",")][:count] if given else [str(index) for index in range(count)]
