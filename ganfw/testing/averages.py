"""What averages of the generator's weights must do."""

from pathlib import Path

import torch
from torch import Tensor, nn

from ganfw.engine.networks import call_with_labels
from ganfw.run.state import flatten_state, unflatten_state
from ganfw.testing.subject import Subject, labels_of, random_on
from ganfw.training.experiment import Experiment

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
    """Updates bring weights nearer to the generator's and change the statistics; the generator's stay as they are."""
    experiment = subject.experiment()
    averaging, generator = subject.part(experiment), experiment.generator
    averaging.update()
    weights, tensors = dict(generator.named_parameters()), _floats(generator)
    with torch.no_grad():
        for tensor in tensors.values():
            tensor.add_(1)
    kept, before = _copies(generator), _copies(averaging.network)
    for _ in range(_UPDATES):
        averaging.update()
    after = _floats(averaging.network)
    untouched = all(torch.equal(tensors[name], kept[name]) for name in kept)
    subject.require(untouched, "update changes the generator")
    for name, value in kept.items():
        stays = f"after {_UPDATES} updates '{name}' of its network"
        if name in weights:
            nearer = (after[name] - value).abs().mean() < (before[name] - value).abs().mean()
            subject.require(nearer, f"{stays} is no nearer to the generator's")
        else:
            subject.require(not torch.equal(after[name], before[name]), f"{stays} is as it was")


def state_comes_back(subject: Subject, _folder: Path) -> None:
    """What it saves is all that it is: another one that loads it goes on in the same way."""
    first, second = (subject.experiment() for _ in range(2))
    averaging, other = subject.part(first), subject.part(second)
    for name in ("state_dict", "load_state_dict"):
        subject.require(hasattr(averaging, name), f"it has no {name}: a resumed run would lose the mean")
    for step in range(3):
        _move(first, float(step))
        averaging.update()
    other.load_state_dict(unflatten_state(*flatten_state(averaging.state_dict())))
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


def _floats(network: nn.Module) -> dict[str, Tensor]:
    """Return the weights and floating-point buffers of a network, without gradient, by name."""
    return {name: tensor for name, tensor in network.state_dict().items() if tensor.is_floating_point()}


def _copies(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in _floats(network).items()}
