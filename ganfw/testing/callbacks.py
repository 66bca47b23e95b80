"""What callbacks must do."""

import torch

from ganfw.testing.subject import Subject, train_in
from ganfw.training.loop import EVENTS


def handles_events_that_exist(subject: Subject) -> None:
    """It has a method for every event, and none for an event that never comes."""
    callback = subject.part
    missing = sorted(name for name in EVENTS if not callable(getattr(callback, name, None)))
    assert not missing, f"it has no {', '.join(missing)}: inherit ganfw.Callback"
    unknown = sorted({name for name in dir(callback) if name.startswith("on_")} - set(EVENTS))
    known = ", ".join(sorted(EVENTS))
    assert not unknown, f"{', '.join(unknown)} is never called; events are {known}"


def does_not_change_training(subject: Subject) -> None:
    """A run with it and one without end with the same bits."""
    with_it = subject.again("run.max_steps=6", "run.log_every_steps=2")
    without = with_it.again(f"{subject.address}.enabled=false")
    for each, name in ((with_it, "with"), (without, "without")):
        train_in(subject.folder / name, each.experiment)
    for name, network in without.experiment.networks.items():
        states = (each.state_dict().values() for each in (with_it.experiment.networks[name], network))
        same = all(map(torch.equal, *states))
        assert same, f"with it the {name} ends with other weights: a callback reports, and changes nothing"
