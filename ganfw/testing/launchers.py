"""What launchers must do."""

import sys
import time
from pathlib import Path
from typing import Any

from ganfw.protocols import TrialJob, TrialTask
from ganfw.testing.subject import Subject

_PATIENCE_SECONDS = 120.0
_TASK = "import sys; line = sys.stdin.readline(); print('heard', line.strip()); print('noted', file=sys.stderr); "
_WAIT = "sys.stdout.flush(); sys.stdin.read(); print('asked to stop')"


def runs_the_command(subject: Subject) -> None:
    """The process is given the request, its exit status and output come back, and its errors are in the log."""
    job, log = _start(subject, f"{_TASK} sys.exit(3)")
    result = _result_of(job)
    assert result == (3, "heard a request\n"), f"the result should be what the process printed, not {result}"
    assert "noted" in log.read_text(), "the log should have what the process wrote to standard error"


def stops_when_asked(subject: Subject) -> None:
    """The process finds its standard input closed, and may do more before it ends."""
    job, _ = _start(subject, f"{_TASK}{_WAIT}")
    assert job.result() is None, "there is a result of a process that still runs"
    job.stop()
    result = _result_of(job)
    assert result == (0, "heard a request\nasked to stop\n"), f"it should end by itself, not with {result}"


def kills(subject: Subject) -> None:
    """The process is ended at once."""
    job, _ = _start(subject, f"{_TASK}{_WAIT}")
    job.kill()
    status, _ = _result_of(job)
    assert status < 0, f"a killed process should have minus its signal as status, not {status}"


def _start(subject: Subject, code: str) -> tuple[TrialJob, Path]:
    launcher: Any = subject.registered.build({}, subject.parameters)
    assert launcher.jobs >= 1, "jobs should be at least 1"
    log = subject.folder.resolve() / "trial.log"
    return launcher.start(TrialTask("trial", (sys.executable, "-c", code), "a request", log)), log


def _result_of(job: TrialJob) -> tuple[int, str]:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (result := job.result()) is None:
        if time.monotonic() > deadline:
            job.kill()
            raise AssertionError(f"the process has not ended after {_PATIENCE_SECONDS:.0f} s")
        time.sleep(0.01)
    return result
