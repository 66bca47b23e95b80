"""What averages of the generator's weights must do."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganfw.engine.networks import call_with_labels
from ganfw.experiment import Experiment
from ganfw.state import put_together, take_apart
from ganfw.testing.subject import Subject, labels_of, random_on

_UPDATES = 200


def network_can_be_sampled(subject: Subject, _folder: Path) -> None:
    """Its network is a generator of its own, in evaluation mode."""
    experiment = subject.experiment()
    network, generator = subject.part(experiment).network, experiment.generator
    owned = {weight.data_ptr() for weight in generator.parameters()}
    subject.require(
        network is not generator and not any(weight.data_ptr() in owned for weight in network.parameters()),
        "its network shares weights with the generator: make a deep copy",
    )
    subject.require(not any(module.training for module in network.modules()), "its network is not in evaluation mode")
    z = experiment.noise(3, random_on(experiment))
    samples = call_with_labels(network, z, labels_of(experiment, 3))
    subject.require_tensor(samples, "what its network gives", (3, *experiment.batches.sample_shape))


def update_moves_the_mean(subject: Subject, _folder: Path) -> None:
    """Updates bring weights and buffers nearer to the generator's, and leave the generator's as they are."""
    experiment = subject.experiment()
    averaging, generator = subject.part(experiment), experiment.generator
    averaging.update()
    tensors = {**dict(generator.named_parameters()), **dict(generator.named_buffers())}
    names = [name for name, tensor in tensors.items() if tensor.is_floating_point()]
    with torch.no_grad():
        for name in names:
            tensors[name].add_(1)
    kept = {name: tensors[name].detach().clone() for name in names}
    before = _distances(averaging, kept)
    for _ in range(_UPDATES):
        averaging.update()
    after = _distances(averaging, kept)
    untouched = all(torch.equal(tensors[name], kept[name]) for name in names)
    subject.require(untouched, "update changes the generator")
    for name in names:
        subject.require(
            after[name] < before[name],
            f"after {_UPDATES} updates '{name}' of its network is no nearer to the generator's",
        )


def state_comes_back(subject: Subject, _folder: Path) -> None:
    """What it saves is all that it is: another one that loads it goes on in the same way."""
    first, second = (subject.experiment() for _ in range(2))
    averaging, other = subject.part(first), subject.part(second)
    for name in ("state_dict", "load_state_dict"):
        subject.require(hasattr(averaging, name), f"it has no {name}: a resumed run would lose the mean")
    for step in range(3):
        _move(first, float(step))
        averaging.update()
    other.load_state_dict(put_together(*take_apart(averaging.state_dict())))
    for experiment, part in ((first, averaging), (second, other)):
        _move(experiment, 7.0)
        part.update()
    saved, loaded = averaging.network.state_dict(), other.network.state_dict()
    for name in saved:
        subject.require(torch.equal(saved[name], loaded[name]), f"after loading its state, '{name}' goes another way")


@torch.no_grad()
def _move(experiment: Experiment, value: float) -> None:
    """Give all weights of the generator a value."""
    for weight in experiment.generator.parameters():
        weight.fill_(value)


def _distances(averaging: Any, tensors: dict[str, Tensor]) -> dict[str, float]:
    network = averaging.network
    own = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    return {name: float((own[name].detach() - tensor).abs().mean()) for name, tensor in tensors.items()}
