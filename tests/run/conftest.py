"""Runs to stop, to resume, to kill and to compare."""

import contextlib
import hashlib
import json
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import ganfw
from ganfw import Callback, Recipe, Registry, Training

Run = Callable[..., Path]
Forge = Callable[..., None]
Launch = Callable[..., tuple[int, str]]
Bits = Callable[[Path], dict[str, Any]]


class StopAt(Callback):
    """Stops training after a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, training: Training) -> None:
        if training.step == self.step:
            training.stop("test")


@pytest.fixture(scope="session")
def scripted_registry() -> Registry:
    """Return a registry with the parts of the script beside this file."""
    return ganfw.discover(scripts=[Path(__file__).with_name("scripted_parts.py")])


@pytest.fixture
def run(scripted_registry: Registry) -> Run:
    """Return a function that runs a recipe in a folder, and stops it after a step if one is given."""

    def run(recipe: Recipe, folder: Path, stop_at: int | None = None) -> Path:
        experiment = ganfw.assemble(ganfw.resolve(recipe, scripted_registry))
        directory = ganfw.create_run_directory(folder, experiment)
        if stop_at is not None:
            experiment.callbacks["stop"] = StopAt(stop_at)
        ganfw.train(experiment, directory=directory)
        return directory

    return run


class ForkServer:
    """Runs ganfw in children of one process that has imported torch: the script `fork_server.py`.

    Attributes:
        process: it.
    """

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        """Start it in a folder, under a command such as `unshare` if one is given."""
        self.process = subprocess.Popen(
            [*command, sys.executable, Path(__file__).parents[1] / "fork_server.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
        )

    def launch(
        self,
        *arguments: object,
        folder: Path,
        kill_after_seconds: float | None = None,
        spared: Sequence[str] | None = None,
        before: str = "",
        command: str = "",
    ) -> tuple[int, str]:
        """Run ganfw; return its exit status and what it printed.

        Args:
            arguments: of the command `ganfw`.
            folder: the folder of runs whose operations are watched.
            kill_after_seconds: when to kill it, if it has not ended by then.
            spared: kill it at the first operation that is not among these, and print that one last.
            before: an operation before which to run a shell command.
            command: that command.
        """
        request = {
            "arguments": [str(argument) for argument in arguments],
            "kill_after_seconds": kill_after_seconds,
            "kill_at": None,
            "watched": {"folder": str(folder), "spared": spared, "before": before, "command": command},
        }
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps(request), file=self.process.stdin, flush=True)
        status, output = json.loads(self.process.stdout.readline())
        return status, output


@pytest.fixture(scope="session")
def start_fork_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., ForkServer]]:
    """Return a function that starts a fork server, under a command if one is given."""
    with contextlib.ExitStack() as servers:

        def start(*command: str) -> ForkServer:
            server = ForkServer(command, tmp_path_factory.mktemp("fork_server"))
            servers.enter_context(server.process)
            return server

        yield start


@pytest.fixture(scope="session")
def launch(start_fork_server: Callable[..., ForkServer]) -> Launch:
    """Return a function that runs ganfw in a child of a fork server."""
    return start_fork_server().launch


@pytest.fixture(scope="session")
def bits() -> Bits:
    """Return a function that returns every file of a run, but for timings and the record of where it ran."""

    def read(path: Path) -> object:
        if path.name == "metrics.jsonl":
            return [drop(json.loads(line), "seconds") for line in path.read_text().splitlines()]
        if path.name == "state.json":
            state = json.loads(path.read_bytes())
            training, metrics = drop(state["training"], "seconds"), drop(state["callbacks.metrics"], "bytes")
            return {**state, "training": training, "callbacks.metrics": metrics}
        if path.name == "manifest.json":
            manifest = json.loads(path.read_bytes())
            return {**drop(manifest, "sha256"), "files": drop(manifest["files"], "state.json")}
        return path.read_bytes()

    def drop(value: dict[str, Any], key: str) -> dict[str, Any]:
        return {name: each for name, each in value.items() if name != key}

    def bits(run: Path) -> dict[str, Any]:
        files = [path for path in run.rglob("*") if path.is_file() and path.name not in (".lock", "environment.json")]
        return {str(path.relative_to(run)): read(path) for path in files}

    return bits


@pytest.fixture
def expected(launch: Launch, bits: Bits, recipe: Path, tmp_path: Path) -> dict[str, Any]:
    """Return the bits of an undisturbed run of the recipe of a test module."""
    folder = tmp_path / "undisturbed"
    status, output = launch("run", recipe, "--out", folder, folder=folder)
    assert status == 0, output
    return bits(folder / "tiny-1")


@pytest.fixture(scope="session")
def forge() -> Forge:
    """Return a function that changes a checkpoint and makes its manifest vouch for it, as a forger would."""

    def forge(checkpoint: Path, contents: Mapping[str, bytes] | None = None, /, **changes: Any) -> None:
        path = checkpoint / "manifest.json"
        manifest = {**json.loads(path.read_bytes()), **changes}
        for name, content in (contents or {}).items():
            (checkpoint / name).write_bytes(content)
            manifest["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        del manifest["sha256"]
        manifest["sha256"] = hashlib.sha256(json.dumps(manifest).encode()).hexdigest()
        path.write_text(json.dumps(manifest))

    return forge


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Let a test have at most 1 GiB of addresses more than are taken."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + (1 << 30), limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)
