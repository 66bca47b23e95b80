"""Runs to stop, to resume and to compare."""

import hashlib
import json
import resource
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import ganfw
from ganfw import Callback, Recipe, Registry, Training

Run = Callable[..., Path]
Forge = Callable[..., None]


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
