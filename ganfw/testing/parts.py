"""What is true of every part: it is documented, can be built, trains, repeats itself and resumes."""

import inspect
import math
from pathlib import Path

import torch

from ganfw.run.directory import create_run_directory
from ganfw.testing.resume import check_exact_resume
from ganfw.testing.subject import Subject
from ganfw.training.experiment import Experiment
from ganfw.training.loop import Training, train

_OF_EPOCHS = ("data", "step", "callback")
"""Kinds that may do something of their own where an epoch ends; they are tried with four batches an epoch."""


def is_documented(subject: Subject, _folder: Path) -> None:
    """It has a line of help and a docstring; each key has a type, a sentence of help and a default."""
    subject.require(bool(subject.offer.part.help), "its Part has no help")
    documentation = inspect.getdoc(subject.offer.load()) or ""
    subject.require(len(documentation) > 30, "the class or function has no docstring that says what it does")
    for key in subject.offer.signature().keys.values():
        subject.require(
            bool(key.help), f"key '{key.name}' has no help: annotate it Annotated[{key.type_name}, \"what it is\"]"
        )
        given = key.name in subject.parameters
        subject.require(given or not key.required, f"key '{key.name}' has no default")


def builds_with_its_defaults(subject: Subject, _folder: Path) -> None:
    """It can be built, and fits the other parts of the recipe."""
    subject.fresh()


def trains(subject: Subject, folder: Path) -> None:
    """With it the generator's weights move, and the statistics are finite."""
    experiment = subject.experiment("run.max_steps=5", "run.log_every_steps=2")
    before = [weight.clone() for weight in experiment.generator.parameters()]
    training = _train(experiment, folder)
    subject.require(training.finished, f"training was stopped by {training.stop_reason}")
    for name, value in training.means.items():
        subject.require(math.isfinite(value), f"the statistic {name} is {value}")
    moved = any(map(_differ, before, experiment.generator.parameters()))
    subject.require(moved, "in 5 steps of training no weight of the generator moved")


def repeats_itself(subject: Subject, folder: Path) -> None:
    """Two runs with one seed end with the same weights."""
    weights = []
    for name in ("first", "second"):
        experiment = subject.experiment("run.max_steps=3")
        _train(experiment, folder / name)
        weights.append([*experiment.generator.parameters(), *experiment.discriminator.parameters()])
    subject.require(
        not any(map(_differ, *weights)),
        "two runs with one seed end with other weights: draw random numbers from the generator that is given, or from "
        "torch's global one, and from no other",
    )


def resumes_exactly(subject: Subject, folder: Path) -> None:
    """A run that is stopped and resumed in the middle of an epoch ends as one that is not."""
    batch_size = 32
    if subject.offer.part.kind in _OF_EPOCHS:
        batch_size = max(1, -(-subject.experiment().batches.size // 4))
    recipe = subject.recipe(f"run.batch_size={batch_size}")
    try:
        check_exact_resume(recipe, subject.registry, folder, stop_at=5, steps=7)
    except AssertionError as error:
        hint = "a part that changes in training needs state_dict() and load_state_dict(state)"
        raise AssertionError(f"{subject.offer}: a resumed run is not exact: {error}; {hint}") from error


def _train(experiment: Experiment, folder: Path) -> Training:
    return train(experiment, directory=create_run_directory(folder, experiment))


def _differ(left: torch.Tensor, right: torch.Tensor) -> bool:
    return not torch.equal(left, right)
