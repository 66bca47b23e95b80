"""The optimizers: torch's own, with torch's defaults."""

import inspect

import pytest
import torch
from torch import nn

from ganfw import InputError, Registry

CLASSES = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}


@pytest.mark.parametrize("name", CLASSES)
def test_optimizer_has_the_defaults_of_torch(registry: Registry, name: str) -> None:
    ours = registry.find("optimizer", name).signature().keys
    theirs = inspect.signature(CLASSES[name]).parameters

    assert {key: ours[key].default for key in ours} == {key: theirs[key].default for key in ours}


@pytest.mark.parametrize("name", CLASSES)
def test_optimizer_passes_every_key_on(registry: Registry, name: str) -> None:
    values = {
        "lr": 0.25, "betas": (0.25, 0.5), "eps": 0.125, "weight_decay": 0.5, "amsgrad": True, "alpha": 0.75,
        "momentum": 0.5, "centered": True, "dampening": 0.0, "nesterov": True,
    }  # fmt: skip
    keys = registry.find("optimizer", name).signature().keys
    given = {key: values[key] for key in keys}
    module = nn.Linear(2, 2)

    optimizer = registry.load("optimizer", name)(module.parameters(), **given)

    assert type(optimizer) is CLASSES[name]
    assert {key: optimizer.param_groups[0][key] for key in keys} == given
    assert optimizer.param_groups[0]["params"] == list(module.parameters())


def test_optimizer_works_on_parameters_of_a_kind_no_fused_kernel_takes(registry: Registry) -> None:
    weight = nn.Parameter(torch.ones(2, device="meta"))

    optimizer = registry.load("optimizer", "adam")([weight])

    assert optimizer.param_groups[0]["fused"] is False


@pytest.mark.parametrize("keys", [{}, {"momentum": 0.9, "dampening": 0.5}])
def test_nesterov_without_a_momentum_of_its_kind_is_refused(registry: Registry, keys: dict[str, float]) -> None:
    with pytest.raises(InputError) as caught:
        registry.load("optimizer", "sgd")(nn.Linear(2, 2).parameters(), nesterov=True, **keys)
    assert str(caught.value) == "nesterov needs a momentum above 0 and no dampening"
