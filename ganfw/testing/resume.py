"""A run that is stopped and resumed ends with the bits of one that is not."""

import json
from pathlib import Path
from typing import Any

from attrs import evolve

from ganfw.plugins.registry import Registry
from ganfw.recipe.document import Recipe
from ganfw.recipe.resolution import resolve
from ganfw.run.assembly import assemble
from ganfw.run.load import open_checkpoint
from ganfw.run.resume import resume_training
from ganfw.testing.subject import train_in
from ganfw.training.callback import Callback
from ganfw.training.loop import Training


def check_exact_resume(recipe: Recipe, registry: Registry, folder: Path, *, stop_at: int = 5, steps: int = 8) -> None:
    """Check that a run that is stopped, and resumed from its files, ends with the bits of one that is not.

    Compared are all weights and all other state in the last checkpoint, lines of metrics without their timings, and
    every picture.

    Args:
        recipe: what to train; its own length does not matter.
        registry: where its parts are found.
        folder: an empty folder for the two runs.
        stop_at: the step after which the second run is stopped; best in the middle of an epoch.
        steps: how long both train.

    Raises:
        AssertionError: something differs; the message names it.
    """
    recipe = recipe.with_overrides([f"run.epochs={steps}", f"run.max_steps={steps}", "run.log_every_steps=3"])
    undisturbed = _run(recipe, registry, folder / "undisturbed")
    stopped = _run(recipe, registry, folder / "stopped", stop_at)
    step = open_checkpoint(stopped).manifest.step
    assert step == stop_at, f"the run was stopped after step {stop_at}, but its checkpoint is of step {step}"
    resume_training(stopped, registry)[0].run()
    assert_same_run(stopped, undisturbed)


def assert_same_run(actual: Path, expected: Path) -> None:
    """Assert that two run directories hold the same bits, timings and pictures drawn on stopping left aside.

    Raises:
        AssertionError: they do not; the message names what differs.
    """
    assert _metrics(actual) == _metrics(expected), "metrics.jsonl differs"
    for picture in (expected / "samples").glob("*.png"):
        assert (actual / "samples" / picture.name).read_bytes() == picture.read_bytes(), f"{picture.name} differs"
    left, right = (open_checkpoint(run) for run in (actual, expected))
    assert left.manifest.files.keys() == right.manifest.files.keys(), "the checkpoints have other files"
    for name, entry in right.manifest.files.items():
        if name.endswith(".safetensors"):
            assert left.manifest.files[name].sha256 == entry.sha256, f"{name} differs"
    ours, theirs = _states(left.path), _states(right.path)
    for name in ours.keys() | theirs.keys():
        assert ours.get(name) == theirs.get(name), f"the state of '{name}' differs"


class _StopAt(Callback):
    """Stops training after a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, training: Training) -> None:
        if training.step == self.step:
            training.stop("the check")


def _metrics(run: Path) -> list[dict[str, Any]]:
    """Return the lines of metrics without their timings."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def _states(checkpoint: Path) -> dict[str, Any]:
    """Return what a checkpoint says of each part beside tensors, timings and the length of a file with timings."""
    states: dict[str, Any] = json.loads((checkpoint / "state.json").read_text())
    del states["training"]["seconds"]
    states.pop("callbacks.metrics", None)
    return states


def _run(recipe: Recipe, registry: Registry, folder: Path, stop_at: int | None = None) -> Path:
    experiment = assemble(resolve(recipe, registry))
    if stop_at is not None:
        experiment = evolve(experiment, callbacks={**experiment.callbacks, "stop": _StopAt(stop_at)})
    return train_in(folder, experiment).require_directory("resume")
