"""What averages of networks' weights must do."""

import torch
from torch import Tensor, nn

from ganfw.run.state import flatten_state, unflatten_state
from ganfw.testing.subject import Subject

_UPDATES = 200


def networks_are_its_own(subject: Subject) -> None:
    """Its networks are those that it is given, as copies, in evaluation mode; they are the same objects each time."""
    averaging = subject.part
    given = _followed(subject)
    found, needed = ", ".join(averaging.networks), ", ".join(given)
    assert found == needed, f"it has means of {found}, not of {needed}"
    owned = {weight.data_ptr() for network in given.values() for weight in network.parameters()}
    for name, network in averaging.networks.items():
        shares = any(weight.data_ptr() in owned for weight in network.parameters())
        assert not shares, f"its {name} shares weights with the one that it is a mean of: make a deep copy"
        assert not any(module.training for module in network.modules()), f"its {name} is not in evaluation mode"
        assert network is averaging.networks[name], f"its {name} is another object each time"


def update_moves_the_mean(subject: Subject) -> None:
    """Updates bring weights nearer to the network's and change the statistics; the network's stay as they are."""
    averaging = subject.part
    averaging.update()
    for name, network in _followed(subject).items():
        weights, tensors = dict(network.named_parameters()), _floats(network)
        with torch.no_grad():
            for tensor in tensors.values():
                tensor.add_(1)
        kept, before = _copies(network), _copies(averaging.networks[name])
        for _ in range(_UPDATES):
            averaging.update()
        after = _floats(averaging.networks[name])
        assert all(torch.equal(tensors[key], kept[key]) for key in kept), f"update changes the {name}"
        for key, value in kept.items():
            stays = f"after {_UPDATES} updates '{key}' of its {name}"
            if key in weights:
                nearer = (after[key] - value).abs().mean() < (before[key] - value).abs().mean()
                assert nearer, f"{stays} is not nearer to that of the {name}"
            else:
                assert not torch.equal(after[key], before[key]), f"{stays} is as it was"


def state_comes_back(subject: Subject) -> None:
    """What it saves is all that it is: another one that loads it continues in the same way."""
    other = subject.again()
    for name in ("state_dict", "load_state_dict"):
        assert hasattr(subject.part, name), f"it has no {name}: a resumed run would lose the mean"
    for step in range(3):
        _update(subject, float(step))
    other.part.load_state_dict(unflatten_state(*flatten_state(subject.part.state_dict())))
    for each in (subject, other):
        _update(each, 7.0)
    for name, network in subject.part.networks.items():
        loaded = other.part.networks[name].state_dict()
        for key, value in network.state_dict().items():
            assert torch.equal(value, loaded[key]), f"after loading its state, '{key}' of its {name} goes another way"


def _followed(subject: Subject) -> dict[str, nn.Module]:
    """Return the networks that it is given, by name."""
    return subject.builder.networks(subject.builder.resolved.networks_of(subject.address))


@torch.no_grad()
def _update(subject: Subject, value: float) -> None:
    """Give all weights a value, and let the mean take them in."""
    for network in _followed(subject).values():
        for weight in network.parameters():
            weight.fill_(value)
    subject.part.update()


def _floats(network: nn.Module) -> dict[str, Tensor]:
    """Return the weights and floating-point buffers of a network, without gradient, by name."""
    return {name: tensor for name, tensor in network.state_dict().items() if tensor.is_floating_point()}


def _copies(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in _floats(network).items()}
