"""Processes that the tests find by /proc, and a Slurm that is none."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from submitit.slurm.slurm import SlurmInfoWatcher, SlurmJob

STAND_IN = Path(__file__).with_name("stand_in.py")
PATIENCE_SECONDS = 90.0


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Train here with as many threads as trials have: sums are rounded in the same order."""
    torch.set_num_threads(1)


@pytest.fixture
def wait_for() -> Callable[[Callable[[], object], str], None]:
    """A function that waits until a condition holds."""

    def wait(condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"not after {PATIENCE_SECONDS:.0f} s: {what}"
            time.sleep(0.05)

    return wait


@pytest.fixture
def find_processes() -> Callable[..., list[int]]:
    """A function that finds processes by a word in their command line, and by what their environment holds."""

    def find(word: str, in_environment: str) -> list[int]:
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                command, environment = (path / "cmdline").read_bytes(), (path / "environ").read_bytes()
            except OSError:
                continue
            if word.encode() in command.split(b"\0") and in_environment.encode() in environment:
                found.append(int(path.name))
        return found

    return find


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a stand-in for Slurm, whose commands are found on the path."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    for name in ("sbatch", "srun", "sacct", "scancel"):
        command = folder / name
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STAND_IN}" {name} "$@"\n')
        command.chmod(0o755)
    monkeypatch.setenv("STAND_IN", str(folder))
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(SlurmJob, "watcher", SlurmInfoWatcher(delay_s=600))  # which remembers jobs of other tests
    yield folder
    for pid in folder.glob("*.pid"):
        try:
            os.killpg(int(pid.read_text()), signal.SIGKILL)
        except ProcessLookupError:
            continue
