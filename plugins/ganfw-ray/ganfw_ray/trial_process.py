"""What a Ray worker does for a trial. The worker imports this module, which therefore imports little."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from ray.util import get_node_ip_address

KILLED = -signal.SIGKILL
LOOK_SECONDS = 1.0
"""How often a worker looks whether the process of Ray that started it is there."""
_SHELL = ("sh", "-c", '"$@"; exit $?', "sh")
"""Stands between the worker and the trial: a worker that Ray ends kills its children, but not their children, so that
the trial lives on, finds its standard input closed, and saves a checkpoint."""
_OF_SIGNAL = 128
"""The exit status of a shell whose command was ended by signal n is this + n."""


class TrialProcess:
    """A process that runs a trial, on the node of this Ray worker.

    Args:
        stopped: whether it is to stop as soon as it has started, because the sweep stops.
    """

    def __init__(self, stopped: bool) -> None:
        self._stopped = stopped
        self._killed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()  # stop and kill are called in threads of their own

    def run(
        self, command: tuple[str, ...], request: str, folder: Path, log: Path, mark: str, variables: Mapping[str, str]
    ) -> tuple[int, str]:
        """Run the process to its end, and return its exit status, or minus its signal, and what it printed.

        Args:
            command: what to run.
            request: the line for its standard input.
            folder: its working directory.
            log: the file that its standard error is appended to.
            mark: what the sweep has written into the log, by which this node shows that it sees the sweep's disk.
            variables: environment variables that differ from those of the node.

        Raises:
            RuntimeError: this node does not see the sweep's disk.
            OSError: the system refuses to run the process.
        """
        _check_disk(folder, log, mark)
        with self._lock:
            if self._killed:
                return KILLED, ""
            with log.open("ab") as errors:
                self._process = subprocess.Popen(
                    [*_SHELL, *command],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    cwd=folder,
                    env={**os.environ, **variables},
                    start_new_session=True,
                )
            stdin, stdout = _pipes(self._process)
            with contextlib.suppress(OSError):  # it has ended already, which its status says
                stdin.write(f"{request}\n".encode())
                stdin.flush()
            if self._stopped:
                _close(stdin)
        status = self._status(self._process)
        printed = stdout.read().decode(errors="replace")
        return (_OF_SIGNAL - status if status > _OF_SIGNAL else status), printed

    def _status(self, process: subprocess.Popen[bytes]) -> int:
        """Wait for the process; stop it if Ray is gone from this node, which leaves busy workers behind."""
        raylet = os.getppid()
        while True:
            try:
                return process.wait(LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                if os.getppid() != raylet:
                    os._exit(1)  # which closes the standard input of the trial

    def stop(self) -> None:
        """Close its standard input."""
        with self._lock:
            self._stopped = True
            if self._process:
                _close(_pipes(self._process)[0])

    def kill(self) -> None:
        """End it at once."""
        with self._lock:
            self._killed = True
            if self._process and self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)


def _check_disk(folder: Path, log: Path, mark: str) -> None:
    """Make sure that the sweep's files here are those that the sweep sees.

    Raises:
        RuntimeError: they are not.
    """
    with contextlib.suppress(OSError):
        if folder.is_dir() and mark.encode() in log.read_bytes():
            return
    raise RuntimeError(
        f"the Ray node {get_node_ip_address()} does not see {log} or not the folder {folder}; the sweep's folder and "
        "the working directory must be on a disk that all nodes mount at the same path"
    )


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin
    assert process.stdout
    return process.stdin, process.stdout


def _close(stdin: IO[bytes]) -> None:
    with contextlib.suppress(OSError):
        stdin.close()
