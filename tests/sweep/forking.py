"""A launcher that forks the process of the sweep, which has imported torch: a trial starts in milliseconds."""

import os
import signal
from collections.abc import Iterator

from ganfw import Part, RunError, TrialTask, hookimpl


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    yield Part(kind="launcher", name="forking", target="forking:Forking")


class Forking:
    def __init__(self, *, jobs: int = 1, refuses: str = "", loses: str = "") -> None:
        self.jobs = jobs
        self.refuses = refuses
        self.loses = loses

    def start(self, task: TrialTask) -> "ForkedJob":
        if self.refuses and self.refuses in task.name:
            raise RunError(f"no room for {task.name}")
        return LostJob(task) if self.loses and self.loses in task.name else ForkedJob(task)


class ForkedJob:
    def __init__(self, task: TrialTask) -> None:
        requests, self._requests = os.pipe()
        self._results, results = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            log = os.open(task.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            for target, source in enumerate((requests, results, log)):
                os.dup2(source, target)
            os.closerange(3, 256)  # a pipe of another trial that stays open would keep that one alive
            os.setsid()
            _work()
        os.close(requests)
        os.close(results)
        os.write(self._requests, f"{task.request}\n".encode())

    def result(self) -> tuple[int, str] | None:
        ended, status = os.waitpid(self._child, os.WNOHANG)
        if not ended:
            return None
        self.stop()
        with os.fdopen(self._results) as results:
            return os.waitstatus_to_exitcode(status), results.read()

    def stop(self) -> None:
        if self._requests >= 0:
            os.close(self._requests)
            self._requests = -1

    def kill(self) -> None:
        os.kill(self._child, signal.SIGKILL)


class LostJob(ForkedJob):
    def result(self) -> tuple[int, str] | None:
        self.kill()
        super().result()
        raise RunError("its machine is lost")


def _work() -> None:
    import sys
    from unittest import mock

    from ganfw.sweep import worker

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    standard = {"stdin": os.fdopen(0), "stderr": os.fdopen(2, "w"), "__stderr__": None, "stdout": os.fdopen(1, "w")}
    with mock.patch.multiple(sys, **standard):
        worker.main()
        sys.stderr.flush()
    os._exit(0)
