"""What is true of every part: it is documented, can be built, trains, repeats itself and resumes."""

import inspect
import math

import torch

from ganfw.testing.resume import check_exact_resume
from ganfw.testing.subject import Subject, train_in
from ganfw.training.experiment import build_experiment

_OF_EPOCHS = ("data", "step", "callback")
"""Kinds that may do something of their own where an epoch ends; small data is served in four batches an epoch."""
_MOST_ROWS = 64


def is_documented(subject: Subject) -> None:
    """It has a line of help and a docstring; each key has a type, a sentence of help and a default."""
    assert subject.registered.part.help, "its Part has no help"
    target = subject.registered.load()
    assert inspect.getdoc(target), "the class or function has no docstring that says what it does"
    for key in subject.registered.signature().keys.values():
        assert key.help, f"key '{key.name}' has no help: annotate it Annotated[{key.type_name}, \"what it is\"]"
        given = key.name in subject.parameters
        assert given or not key.required, f"key '{key.name}' has no default"


def builds_with_its_defaults(subject: Subject) -> None:
    """It can be built, and fits the other parts of the recipe."""
    assert subject.part is not None, "it is None"
    build_experiment(subject.builder)


def trains(subject: Subject) -> None:
    """With it the weights of every network that is trained move, and the statistics are finite."""
    subject = subject.again("run.max_steps=5", "run.log_every_steps=2")
    networks = subject.trained_networks()
    before = {name: [weight.detach().clone() for weight in each.parameters()] for name, each in networks.items()}
    training = train_in(subject.folder / "run", subject.experiment)
    assert training.finished, f"training was stopped by {training.stop_reason}"
    for name, value in training.means.items():
        assert math.isfinite(value), f"the statistic {name} is {value}"
    for name, weights in before.items():
        moved = not all(map(torch.equal, weights, networks[name].parameters()))
        assert moved, f"in 5 steps of training no weight of the {name} moved"


def repeats_itself(subject: Subject) -> None:
    """Two runs with one seed end with the same weights."""
    weights = []
    for name in ("first", "second"):
        each = subject.again("run.max_steps=3")
        train_in(subject.folder / name, each.experiment)
        weights.append([weight for network in each.experiment.networks.values() for weight in network.parameters()])
    assert all(map(torch.equal, *weights)), (
        "two runs with one seed end with other weights: draw random numbers from the generator that is given, or from "
        "torch's global one, and from no other"
    )


def resumes_exactly(subject: Subject) -> None:
    """A run that is stopped and resumed in the middle of an epoch ends as one that is not."""
    batch_size = 32
    if subject.registered.part.kind in _OF_EPOCHS:
        batch_size = min(_MOST_ROWS, -(-subject.batches.size // 4))
    recipe = subject.again(f"run.batch_size={batch_size}").recipe
    try:
        check_exact_resume(recipe, subject.registry, subject.folder, stop_at=5, steps=7)
    except AssertionError as error:
        hint = "a part that changes in training needs state_dict() and load_state_dict(state)"
        raise AssertionError(f"a resumed run is not exact: {error}; {hint}") from error
