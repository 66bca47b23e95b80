"""Runs to stop, to resume and to compare."""

from collections.abc import Callable
from pathlib import Path

import pytest

import ganfw
from ganfw import Callback, Recipe, Registry, Training

Run = Callable[..., Path]


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
