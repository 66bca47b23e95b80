"""Runs to export."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ganfw
from ganfw import Recipe, Registry, open_checkpoint
from ganfw.export.generator import TrainedGenerator, open_generator

MakeRun = Callable[..., Path]
Open = Callable[..., TrainedGenerator]


@pytest.fixture(scope="session")
def script() -> Path:
    """Return the file of generators beside this one."""
    return Path(__file__).with_name("exported_parts.py")


@pytest.fixture(scope="session")
def exported_registry(script: Path) -> Registry:
    """Return the registry with them."""
    return ganfw.discover(scripts=[script])


@pytest.fixture
def make_run(tiny: Recipe, exported_registry: Registry, tmp_path: Path) -> MakeRun:
    """Return a function that trains `tiny` for a step, with other tables, and returns the run directory."""

    def make(extends: str | Recipe = tiny, **tables: Any) -> Path:
        callbacks = {name: {"enabled": False} for name in ("samples", "health")}
        settings = {"name": "tiny", "run": {"max_steps": 1}, **tables}
        recipe = Recipe(extends=extends, callbacks=callbacks, **settings)
        experiment = ganfw.assemble(ganfw.resolve(recipe, exported_registry))
        directory = ganfw.create_run_directory(tmp_path / "runs", experiment)
        ganfw.train(experiment, directory=directory)
        return directory

    return make


@pytest.fixture
def opened(make_run: MakeRun, exported_registry: Registry) -> Open:
    """Return a function that trains such a run, and opens its generator."""

    def open_one(*args: Any, **tables: Any) -> TrainedGenerator:
        return open_generator(open_checkpoint(make_run(*args, **tables)), exported_registry)

    return open_one
