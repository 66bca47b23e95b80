"""What a job runs on its node: a trial's process, which it watches over."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from submitit import JobEnvironment

WARNING = signal.Signals[f"SIG{JobEnvironment.USR_SIG}"]
"""The signal that submitit lets Slurm send some time before the time is up."""
LOOK_SECONDS = 1.0
"""How often files are looked at: every trial does, on a file system that all share."""


@frozen
class TrialEnd:
    """How the process of a trial ended.

    Attributes:
        status: its exit status, or minus its signal.
        printed: what it printed.
        interrupted: whether the job, and not the sweep, asked it to stop: Slurm wants the node, or time is up.
    """

    status: int
    printed: str
    interrupted: bool


@define
class TrialRun:
    """Runs the process of a trial, stops it when the sweep or Slurm says so, and when the sweep is gone.

    submitit carries this to the node, where it is called.

    Attributes:
        command: what to run.
        request: the line that the process is given.
        log: what its standard error is appended to.
        threads: how many it uses.
        orders: a file in which the launcher writes `"stop"` or `"kill"`.
        heartbeat: a file which the launcher changes all the time.
        silence_seconds: without a change for so long, the sweep is gone.
    """

    command: tuple[str, ...]
    request: str
    log: Path
    threads: int
    orders: Path
    heartbeat: Path
    silence_seconds: float
    _signalled: bool = field(default=False, init=False)

    def __call__(self) -> TrialEnd | None:
        """Run the process to its end; None if the sweep was gone before it began."""
        for number in (signal.SIGTERM, WARNING):
            signal.signal(number, self._note_signal)
        heart = _Heart(self.heartbeat, self.silence_seconds)
        if not heart.begins_to_beat():
            return None
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "OMP_NUM_THREADS": str(self.threads)},
                preexec_fn=_ignore_warning,  # this process has no threads
            )
        assert process.stdin
        assert process.stdout
        with process:
            with contextlib.suppress(OSError):  # it has ended already, which its status says
                process.stdin.write(f"{self.request}\n".encode())
                process.stdin.flush()
            interrupted = self._watch(process, heart)
            return TrialEnd(process.returncode, process.stdout.read().decode(errors="replace"), interrupted)

    def _watch(self, process: "subprocess.Popen[bytes]", heart: "_Heart") -> bool:
        """Wait for the end of the process, and pass on what it is told; return whether it was interrupted."""
        assert process.stdin
        interrupted = False
        while not _ended_within(process, LOOK_SECONDS):
            order = read_text(self.orders)
            if order == "kill":
                process.kill()
            elif not process.stdin.closed and (order == "stop" or self._signalled or not heart.beats()):
                interrupted = order != "stop"
                with contextlib.suppress(OSError):
                    process.stdin.close()
        return interrupted

    def _note_signal(self, *_: Any) -> None:
        self._signalled = True


def read_text(path: Path) -> str:
    """Return what a file holds, or `""`. Opening it makes a shared file system show what is new."""
    try:
        return path.read_text()
    except OSError:
        return ""


class _Heart:
    """Whether the launcher still changes a file; clocks of different machines are not compared."""

    def __init__(self, path: Path, silence_seconds: float) -> None:
        self._path = path
        self._silence_seconds = silence_seconds
        self._last = read_text(path)
        self._changed = time.monotonic()

    def begins_to_beat(self) -> bool:
        """Wait for a beat; return False if there is none."""
        first = self._last
        while self.beats():
            if self._last != first:
                return True
            time.sleep(LOOK_SECONDS)
        return False

    def beats(self) -> bool:
        """Whether there was a beat of late."""
        if (now := read_text(self._path)) != self._last:
            self._last, self._changed = now, time.monotonic()
        return time.monotonic() - self._changed < self._silence_seconds


def _ended_within(process: "subprocess.Popen[bytes]", seconds: float) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.returncode is not None


def _ignore_warning() -> None:
    """Let the trial ignore the signal that would end it: Slurm sends it to every process of a job."""
    signal.signal(WARNING, signal.SIG_IGN)
