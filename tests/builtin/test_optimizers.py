"""The optimizers: torch's own, with torch's defaults."""

import copy
import inspect
from typing import Any

import pytest
import torch
from torch import nn

from ganfw import InputError, Registry
from ganfw.run.state import flatten_state

CLASSES = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}
OWN = {"adamw": {"decay_vectors": True}}
"""Keys that torch's optimizers do not have, with their defaults."""


@pytest.mark.parametrize("name", CLASSES)
def test_optimizer_has_the_defaults_of_torch(registry: Registry, name: str) -> None:
    ours = registry.find("optimizer", name).signature().keys
    theirs = inspect.signature(CLASSES[name]).parameters

    assert {key: ours[key].default for key in ours} == OWN.get(name, {}) | {
        key: theirs[key].default for key in ours if key in theirs
    }


@pytest.mark.parametrize("name", CLASSES)
def test_optimizer_passes_every_key_on(registry: Registry, name: str) -> None:
    values = {
        "lr": 0.25, "betas": (0.25, 0.5), "eps": 0.125, "weight_decay": 0.5, "amsgrad": True, "alpha": 0.75,
        "momentum": 0.5, "centered": True, "dampening": 0.0, "nesterov": True,
    }  # fmt: skip
    keys = registry.find("optimizer", name).signature().keys
    given = {key: values[key] for key in keys if key in values}
    module = nn.Linear(2, 2)

    optimizer = registry.load("optimizer", name)(module.parameters(), **given)

    assert isinstance(optimizer, CLASSES[name])
    assert type(optimizer).__name__ == CLASSES[name].__name__  # what a profile shows
    assert {key: optimizer.param_groups[0][key] for key in given} == given
    assert optimizer.param_groups[0]["params"] == list(module.parameters())


def test_vectors_decay_only_where_they_are_to(registry: Registry) -> None:
    def shrunk(**keys: bool) -> list[float]:
        module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        for parameter in module.parameters():
            nn.init.ones_(parameter).grad = torch.zeros_like(parameter)
        registry.load("optimizer", "adamw")(module.parameters(), lr=0.5, weight_decay=0.5, **keys).step()
        return [float(parameter.detach().unique()) for parameter in module.parameters()]

    assert shrunk() == [0.75, 0.75, 0.75, 0.75]
    assert shrunk(decay_vectors=False) == [0.75, 1, 1, 1]


@pytest.mark.parametrize("shape", [(2,), (2, 2)])
def test_weights_of_one_kind_are_enough(registry: Registry, shape: tuple[int, ...]) -> None:
    weight = nn.Parameter(torch.ones(shape))
    optimizer = registry.load("optimizer", "adamw")([weight], decay_vectors=False)
    weight.grad = torch.ones(shape)
    optimizer.step()

    assert (weight < 1).all()
    assert [each for group in optimizer.param_groups for each in group["params"]] == [weight]


def test_optimizer_works_on_parameters_of_a_kind_no_fused_kernel_takes(registry: Registry) -> None:
    weight = nn.Parameter(torch.ones(2, device="meta"))

    optimizer = registry.load("optimizer", "adam")([weight])

    assert optimizer.param_groups[0]["fused"] is False


@pytest.mark.parametrize("keys", [{}, {"momentum": 0.9, "dampening": 0.5}])
def test_nesterov_without_a_momentum_of_its_kind_is_refused(registry: Registry, keys: dict[str, float]) -> None:
    with pytest.raises(InputError) as caught:
        registry.load("optimizer", "sgd")(nn.Linear(2, 2).parameters(), nesterov=True, **keys)
    assert str(caught.value) == "nesterov needs a momentum above 0 and no dampening"


KEYS = {
    "adam": [{}, {"amsgrad": True, "weight_decay": 0.1}],
    "adamw": [{}, {"amsgrad": True, "betas": (0.5, 0.9)}],
    "rmsprop": [{}, {"momentum": 0.9, "centered": True, "weight_decay": 0.1}],
    "sgd": [{}, {"momentum": 0.9, "nesterov": True}],
}


@pytest.mark.parametrize(("name", "keys"), [(name, keys) for name in KEYS for keys in KEYS[name]])
def test_steps_and_state_are_those_of_torch(
    device: torch.device, registry: Registry, name: str, keys: dict[str, Any]
) -> None:
    start = torch.linspace(-1, 1, 12).reshape(3, 4)
    ours, theirs, loaded = (nn.Parameter(start.clone().to(device)) for _ in range(3))
    load = registry.load("optimizer", name)
    own = load([ours], **keys)
    fused = {} if name == "rmsprop" else {"fused": True}
    torchs = CLASSES[name]([theirs], **{"lr": own.param_groups[0]["lr"], **keys, **fused})
    other = load([loaded], **keys)
    for step in range(6):
        if step == 3:
            with torch.no_grad():
                loaded.copy_(ours)
            other.load_state_dict(copy.deepcopy(own.state_dict()))
        for weight, optimizer in ((ours, own), (theirs, torchs), (loaded, other)):
            optimizer.zero_grad()
            (weight - step).pow(2).sum().backward()
            optimizer.step()

        assert torch.equal(ours, theirs)
        assert step < 3 or torch.equal(ours, loaded)
    assert flatten_state(own.state_dict())[0] == flatten_state(torchs.state_dict())[0]
    for ours_, theirs_ in zip(*(flatten_state(each.state_dict())[1].values() for each in (own, torchs)), strict=True):
        assert torch.equal(ours_, theirs_)


@pytest.mark.parametrize("name", CLASSES)
def test_hooks_are_called_around_a_step_that_leaves_no_graph(registry: Registry, name: str) -> None:
    weight = nn.Parameter(torch.ones(2))
    optimizer = registry.load("optimizer", name)([weight])
    seen: list[str] = []
    optimizer.register_step_pre_hook(lambda *_: seen.append("before"))
    optimizer.register_step_post_hook(lambda *_: seen.append("after"))
    weight.grad = torch.ones(2)

    optimizer.step()

    assert seen == ["before", "after"]
    assert torch.is_grad_enabled()
    assert weight.is_leaf
    assert not any(value.requires_grad for value in optimizer.state[weight].values() if isinstance(value, torch.Tensor))


def test_a_scheduler_of_torchs_counts_its_steps(registry: Registry) -> None:
    optimizer = registry.load("optimizer", "adam")([nn.Parameter(torch.ones(2))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)

    optimizer.step()
    scheduler.step()  # would warn if no step had been counted

    assert scheduler.get_last_lr() == [0.5]
