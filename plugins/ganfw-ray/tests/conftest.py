"""Sweeps of trials that take seconds, run by the real command, and what they leave."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from attrs import frozen
from filelock import FileLock
from ray.cluster_utils import Cluster

SLOW = Path(__file__).with_name("slow.py")
STEPS = 60
PATIENCE_SECONDS = 120.0

SWEEP = f"""\
format = 1
recipe = "mnist_mlp"
evaluate = 0
seeds = {{seeds}}
[grid]
loss.use = ["bce", "hinge"]
[set]
run = {{{{ max_steps = {STEPS}, batch_size = 32, log_every_steps = 2, device = "cpu" }}}}
data.split = "test"
generator.hidden_dim = 4
discriminator.hidden_dim = 4
callbacks.samples.enabled = false
callbacks.checkpoint = {{{{ every_steps = 10, keep = 1 }}}}
callbacks.slow.use = "slow"
[launcher]
{{launcher}}
"""


def pytest_configure() -> None:
    """Start clusters of tests without tokens, and without what Ray reports to its authors."""
    os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="session", autouse=True)
def disconnected() -> Iterator[None]:
    """Leave the cluster that launchers in this process have started."""
    yield
    ray.shutdown()


@frozen
class Sweep:
    """A sweep in the folder `s` of a working directory."""

    place: Path

    @property
    def folder(self) -> Path:
        return self.place / "s"

    def start(self, *options: str) -> subprocess.Popen[str]:
        """Start the command in a session of its own, as a terminal does."""
        command = [sys.executable, "-P", "-m", "ganfw", "sweep", "s", "--plugin", str(SLOW), *options]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.Popen(command, **pipes, text=True, cwd=self.place, start_new_session=True)

    def run(self, *options: str) -> tuple[int, str]:
        with self.start(*options) as process:
            return end_of(process)

    def workers(self) -> dict[int, int]:
        """Return the process of the Ray worker of each trial that runs now, by the trial's process."""
        found = {trial: parent(parent(trial)) for trial in self.processes()}
        return {trial: worker for trial, worker in found.items() if worker > 1}  # 1: what is left of a killed one

    def processes(self) -> list[int]:
        """Return the processes of trials that run now."""
        return [int(path.name) for path in Path("/proc").iterdir() if self._is_trial(path)]

    def _is_trial(self, process: Path) -> bool:
        try:
            arguments = (process / "cmdline").read_bytes().split(b"\0")
            return arguments[2:4] == [b"-m", b"ganfw.sweep.worker"] and (process / "cwd").readlink() == self.place
        except OSError:
            return False

    def steps(self) -> dict[str, int]:
        """Return the step of the newest checkpoint of each trial that has one."""
        found = (str(path.relative_to(self.folder)).split("/") for path in self.folder.glob("*/checkpoints/step-*"))
        return {trial: int(step.removeprefix("step-")) for trial, _, step in found}


def parent(pid: int) -> int:
    """Return the parent of a process, 1 where it has gone."""
    try:
        return int(Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 1


def end_of(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for a command; return its exit status and what it printed."""
    output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, output


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, condition
        time.sleep(0.02)


def bits(folder: Path) -> dict[str, Any]:
    """Return every file of a sweep's trials, but for timings and the record of where they ran."""
    found: dict[str, Any] = {}
    for path in sorted(path for path in folder.glob("*=*/**/*") if path.is_file()):
        content: Any = path.read_bytes()
        if path.name in (".lock", "environment.json"):
            continue
        if path.name == "metrics.jsonl":
            content = [{**json.loads(line), "seconds": 0} for line in content.splitlines()]
        elif path.name == "state.json":
            content = json.loads(content)
            content["training"]["seconds"] = content["callbacks.metrics"]["bytes"] = 0
        elif path.name == "manifest.json":
            content = json.loads(content)
            content["sha256"] = content["files"]["state.json"] = ""
        found[str(path.relative_to(folder))] = content
    return found


@pytest.fixture(name="bits")
def bits_() -> Callable[[Path], dict[str, Any]]:
    return bits


@pytest.fixture(name="wait_until")
def wait_until_() -> Callable[[Callable[[], object]], None]:
    return wait_until


@pytest.fixture(name="end_of")
def end_of_() -> Callable[[subprocess.Popen[str]], tuple[int, str]]:
    return end_of


@pytest.fixture
def write_sweep(tmp_path: Path) -> Callable[..., Sweep]:
    """Return a function that writes a sweep of two trials for each seed, with the table of a launcher."""

    def write(launcher: str, *, seeds: int = 1, place: Path = tmp_path) -> Sweep:
        sweep = Sweep(place.resolve())
        sweep.folder.mkdir(exist_ok=True, parents=True)
        (sweep.folder / "sweep.toml").write_text(SWEEP.format(launcher=launcher, seeds=seeds))
        return sweep

    return write


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the bits of six trials that the launcher `local` has run, once for all processes of the tests."""
    own = tmp_path_factory.getbasetemp()
    place = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "undisturbed"
    sweep = Sweep(place)
    with FileLock(f"{place}.lock"):
        if not place.exists():
            sweep.folder.mkdir(parents=True)
            text = SWEEP.format(launcher='use = "local"\nthreads = 1\njobs = 2', seeds=3)
            (sweep.folder / "sweep.toml").write_text(text)
            status, output = sweep.run()
            assert status == 0, output
    return bits(sweep.folder)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Return a cluster whose first node, on which sweeps run, has no room for a trial; it is soon missed when lost."""
    monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "3")  # instead of a minute
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield cluster
    cluster.shutdown()
