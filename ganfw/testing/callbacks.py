"""What callbacks must do."""

from pathlib import Path

import torch

from ganfw.recipe.resolution import resolve
from ganfw.run.assembly import assemble
from ganfw.run.directory import create_run_directory
from ganfw.testing.subject import Subject
from ganfw.training.callback import EVENTS
from ganfw.training.experiment import Experiment
from ganfw.training.loop import train


def handles_events_that_exist(subject: Subject, _folder: Path) -> None:
    """It has a method for every event, and none for an event that never comes."""
    callback = subject.fresh()
    missing = sorted(name for name in EVENTS if not callable(getattr(callback, name, None)))
    subject.require(not missing, f"it has no {', '.join(missing)}: inherit ganfw.Callback")
    unknown = sorted({name for name in dir(callback) if name.startswith("on_")} - set(EVENTS))
    known = ", ".join(sorted(EVENTS))
    subject.require(not unknown, f"{', '.join(unknown)} is never called; events are {known}")


def leaves_training_alone(subject: Subject, folder: Path) -> None:
    """A run with it and one without end with the same bits."""
    with_it = subject.experiment("run.max_steps=6", "run.log_every_steps=2")
    recipe = subject.recipe("run.max_steps=6", "run.log_every_steps=2", f"{subject.address}.enabled=false")
    without = assemble(resolve(recipe, subject.registry))
    for experiment, name in ((with_it, "with"), (without, "without")):
        train(experiment, directory=create_run_directory(folder / name, experiment))
    for name in ("generator", "discriminator"):
        same = all(map(torch.equal, _bits(with_it, name), _bits(without, name)))
        subject.require(same, f"with it the {name} ends with other weights: a callback tells, and changes nothing")


def _bits(experiment: Experiment, name: str) -> list[torch.Tensor]:
    state: dict[str, torch.Tensor] = getattr(experiment, name).state_dict()
    return list(state.values())
