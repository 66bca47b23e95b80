"""What networks of every kind must do. Each is called with what the recipe's own step gives it."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from attrs import frozen
from torch import Tensor, nn

from ganfw.testing.subject import Subject

_STEPS = 5


@frozen
class Inputs:
    """What a step gives a network.

    Attributes:
        first: its first input, `(n, ...)`.
        named: the further ones, by name, n rows each.
    """

    first: Tensor
    named: Mapping[str, Tensor]

    def rows(self, count: int | None = None) -> "Inputs":
        """Return copies of so many rows, or of all."""
        return Inputs(self.first[:count].clone(), {name: each[:count].clone() for name, each in self.named.items()})

    def to(self, device: str) -> "Inputs":
        """Return them on a device."""
        return Inputs(self.first.to(device), {name: each.to(device) for name, each in self.named.items()})


def inputs_in_training(subject: Subject) -> Inputs:
    """Compute the losses of the step, and return what the network is given when it is first called."""
    calls: list[Inputs] = []

    def note(_network: Any, inputs: tuple[Tensor, ...], named: dict[str, Tensor]) -> None:
        calls.append(Inputs(inputs[0].detach(), {name: value.detach() for name, value in named.items()}).rows())

    hook = subject.part.register_forward_pre_hook(note, with_kwargs=True)
    batch, random = next(subject.batches.epoch(0)), subject.random()
    for update in subject.builder.part("step").updates():
        drawn = update.draw(batch, random) if update.draw else ()
        update.loss(batch, batch.row_random(random), *drawn)
    hook.remove()
    subject.require(bool(calls), "the step never calls it: choose a base recipe whose step does")
    return calls[0]


def every_parameter_learns(subject: Subject) -> None:
    """In the step's own updates, a finite gradient reaches every parameter that asks for one."""
    require_gradients(subject, {subject.name: subject.part})


def leaves_its_input_alone(subject: Subject) -> None:
    """It does not write into the tensors that it is given."""
    given = inputs_in_training(subject)
    kept = given.rows()
    with torch.no_grad():
        subject.part(given.first, **given.named)
    same = torch.equal(given.first, kept.first)
    same &= all(torch.equal(given.named[name], value) for name, value in kept.named.items())
    subject.require(same, "it writes into its input: its first layer must not work in place")


def moves_to_another_device(subject: Subject) -> None:
    """All that it computes with moves with it; torch's meta device, which has shapes alone, stands for a GPU."""
    network = subject.part
    for path, module in network.named_modules():
        for name, value in vars(module).items():
            where = f"{path}.{name}".lstrip(".")
            is_loose = isinstance(value, Tensor)
            subject.require(not is_loose, f"the tensor '{where}' does not move with it: use register_buffer")
    given = inputs_in_training(subject).to("meta")
    try:
        returned = copy.deepcopy(network).to("meta")(given.first, **given.named)
    except (RuntimeError, NotImplementedError) as error:
        raise AssertionError(
            f"{subject.registered}: moved to another device it fails: {error}; make tensors on the input's device"
        ) from error
    for output in returned.values() if isinstance(returned, Mapping) else (returned,):
        subject.require(output.is_meta, f"moved to another device, what it gives is still on {output.device}")


def require_gradients(subject: Subject, networks: Mapping[str, nn.Module]) -> None:
    """Take some steps, and make sure that a finite gradient reaches every parameter of some networks.

    Raises:
        AssertionError: it does not.
    """
    seen: set[str] = set()
    asking = {
        f"'{path}' of the {name}": parameter
        for name, network in networks.items()
        for path, parameter in network.named_parameters()
        if parameter.requires_grad
    }
    hooks = [parameter.register_hook(_Note(subject, where, seen)) for where, parameter in asking.items()]
    subject.take_steps(_STEPS)
    for hook in hooks:
        hook.remove()
    for where in asking:
        subject.require(where in seen, f"in {_STEPS} steps no gradient reaches {where}")


class _Note:
    """Notes that a gradient came."""

    def __init__(self, subject: Subject, where: str, seen: set[str]) -> None:
        self.subject = subject
        self.where = where
        self.seen = seen

    def __call__(self, gradient: Tensor) -> None:
        self.subject.require(torch.isfinite(gradient).all(), f"the gradient of {self.where} is not finite")
        self.seen.add(self.where)
