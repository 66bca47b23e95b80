"""Sweeps whose trials take a fraction of a second: ganfw runs in children of a process that has trained."""

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Ganfw = Callable[..., tuple[int, str]]
Write = Callable[[str], Path]
SERVER = Path(__file__).parents[1] / "fork_server.py"
FORKING = Path(__file__).with_name("forking.py")

TINY = """
[set]
run = { max_steps = 6, batch_size = 32, log_every_steps = 2, device = "cpu" }
data.split = "test"
generator.hidden_dim = 4
discriminator.hidden_dim = 4
callbacks.checkpoint.every_steps = 2
callbacks.samples.every_steps = 3

[launcher]
use = "forking"
jobs = 2
"""
"""The end of a sweep file that makes its trials short."""


@pytest.fixture(scope="session")
def server_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the working directory of the process below."""
    return tmp_path_factory.mktemp("sweeps")


@pytest.fixture(scope="session")
def start_server(server_folder: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts, under a command if given, what has trained once and runs ganfw in children."""
    with contextlib.ExitStack() as servers:

        def start(*command: str) -> subprocess.Popen[str]:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            server = subprocess.Popen(
                [*command, sys.executable, SERVER, "trained"], **pipes, text=True, cwd=server_folder
            )
            servers.enter_context(server)
            servers.callback(server.kill)  # a process that came from this one later may hold its standard input open
            return server

        yield start


@pytest.fixture(scope="session")
def server(start_server: Callable[..., subprocess.Popen[str]]) -> subprocess.Popen[str]:
    """Return such a process."""
    return start_server()


@pytest.fixture
def write_sweep(tmp_path: Path) -> Write:
    """Return a function that writes a sweep of short trials in the test's folder, and returns the sweep's folder."""

    def write(text: str) -> Path:
        (tmp_path / "s").mkdir(exist_ok=True)
        (tmp_path / "s" / "sweep.toml").write_text(f'format = 1\nrecipe = "mnist_mlp"\nevaluate = 0\n{text}{TINY}')
        return tmp_path / "s"

    return write


def ganfw_of(server: subprocess.Popen[str]) -> Ganfw:
    def run(
        *arguments: object, kill_after_seconds: float | None = None, kill_at: Path | None = None
    ) -> tuple[int, str]:
        plugin = ("--plugin", str(FORKING)) if arguments[0] in ("run", "sweep") else ()
        request = {
            "arguments": [*map(str, arguments), *plugin],
            "kill_after_seconds": kill_after_seconds,
            "kill_at": None if kill_at is None else str(kill_at),
            "watched": None,
        }
        assert server.stdin
        assert server.stdout
        print(json.dumps(request), file=server.stdin, flush=True)
        status, output = json.loads(server.stdout.readline())
        return status, output

    return run


@pytest.fixture
def run_ganfw(server: subprocess.Popen[str]) -> Ganfw:
    """Return a function that runs ganfw with the launcher `forking`: its exit status, or minus a signal, and output."""
    return ganfw_of(server)


@pytest.fixture
def on_small_disk(start_server: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> tuple[Ganfw, Path, Path]:
    """Return what runs ganfw where a file system of 8 MB is mounted, its place there, and the way to it from here."""
    place = tmp_path / "disk"
    place.mkdir()
    for namespace in (["unshare", "--mount"], ["unshare", "--mount", "--map-root-user"]):
        mount = [*namespace, "sh", "-c", f'mount -t tmpfs -o size=8m ganfw {place} && exec "$@"', "sh"]
        if shutil.which("unshare") and subprocess.run([*mount, "true"], capture_output=True).returncode == 0:
            server = start_server(*mount)
            return ganfw_of(server), place, Path(f"/proc/{server.pid}/root{place}")
    pytest.skip("this user may not mount anything")
