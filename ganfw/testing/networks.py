"""What networks, generators and discriminators must do. Each is called with what the recipe's own step gives it."""

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from attrs import frozen
from torch import Tensor, nn

from ganfw.engine.networks import copy_network, evaluation_mode, outputs_of
from ganfw.testing.subject import Subject
from ganfw.training.trial import doubt_of_logits

_STEPS = 5
_COUNT = 5


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
        """Return copies of this many rows, or of all."""
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
    assert calls, "the step never calls it: choose a base recipe whose step does"
    return calls[0]


def every_parameter_learns(subject: Subject) -> None:
    """In the step's own updates, a finite gradient reaches every parameter that asks for one."""
    require_gradients(subject, {subject.name: subject.part})


def does_not_change_its_input(subject: Subject) -> None:
    """It does not write into the tensors that it is given."""
    given = inputs_in_training(subject)
    kept = given.rows()
    with torch.no_grad():
        subject.part(given.first, **given.named)
    same = torch.equal(given.first, kept.first)
    same &= all(torch.equal(given.named[name], value) for name, value in kept.named.items())
    assert same, "it writes into its input: its first layer must not work in place"


def moves_to_another_device(subject: Subject) -> None:
    """All that it computes with moves with it; torch's meta device, which has only shapes, stands for a GPU."""
    network = subject.part
    for path, module in network.named_modules():
        for name, value in vars(module).items():
            where = f"{path}.{name}".lstrip(".")
            assert not isinstance(value, Tensor), f"the tensor '{where}' does not move with it: use register_buffer"
    given = inputs_in_training(subject).to("meta")
    try:
        returned = copy_network(network).to("meta")(given.first, **given.named)
    except (RuntimeError, NotImplementedError) as error:
        hint = "make tensors on the input's device"
        raise AssertionError(f"moved to another device it fails: {error}; {hint}") from error
    for output in returned.values() if isinstance(returned, Mapping) else (returned,):
        assert output.is_meta, f"moved to another device, what it gives is still on {output.device}"


def gives_samples(subject: Subject) -> None:
    """It gives samples of the data's shape and range; a single row in evaluation mode too."""
    for samples, count, where in _passes(subject):
        samples = samples.detach() if isinstance(samples, Tensor) else samples
        subject.require_samples(samples, f"what it gives {where}", count)


def samples_are_independent(subject: Subject) -> None:
    """In evaluation mode a sample depends only on its own inputs, not on what is generated beside it."""
    network, given = subject.part, inputs_in_training(subject)
    with evaluation_mode(network), torch.no_grad():
        many, few = (network(rows.first, **rows.named) for rows in (given.rows(2 * _COUNT), given.rows(_COUNT)))
    same = torch.allclose(many[:_COUNT], few, atol=1e-5)
    assert same, "in evaluation mode a sample changes with what is generated beside it"


def gives_logits(subject: Subject) -> None:
    """It gives logits for each sample, `(n, 1, ...)`; for a single row in evaluation mode too."""
    for returned, count, where in _passes(subject):
        logits = outputs_of(returned)["logits"]
        subject.require_tensor(logits, f"what it gives {where}", (count, 1, *logits.shape[2:]))


def gives_no_probabilities(subject: Subject) -> None:
    """What it gives can be logits: with a Sigmoid, a ReLU or a Softmax at its end it never is."""
    given = inputs_in_training(subject).rows(2 * _COUNT)
    doubt = doubt_of_logits(subject.part, given.first, **given.named)
    assert not doubt, f"it {doubt}; it takes logits of both signs"


def gradients_reach_the_samples(subject: Subject) -> None:
    """Logits depend on samples by a gradient, from which the generator learns."""
    given = inputs_in_training(subject).rows(_COUNT)
    logits = _logits(subject.part, Inputs(given.first.requires_grad_(), given.named))
    (gradient,) = torch.autograd.grad(logits.sum(), given.first, materialize_grads=True)
    reaches = torch.isfinite(gradient).all() and gradient.any()
    assert reaches, "no finite gradient reaches the samples, so no generator can learn from it"


def _passes(subject: Subject) -> Iterator[tuple[Any, int, str]]:
    """Yield what a network returns for one row and for several, and in words for what."""
    network, given = subject.part, inputs_in_training(subject)
    for count, training in ((1, False), (_COUNT, False), (_COUNT, True)):
        rows = given.rows(count)
        returned = network.train(training)(rows.first, **rows.named)
        yield returned, count, f"for {count} rows in {'training' if training else 'evaluation'} mode"


def _logits(network: nn.Module, given: Inputs) -> Tensor:
    return outputs_of(network(given.first, **given.named))["logits"]


def require_gradients(subject: Subject, networks: Mapping[str, nn.Module]) -> None:
    """Take some steps, and make sure that a finite gradient reaches every parameter of some networks."""
    asking = {
        f"'{path}' of the {name}": parameter
        for name, network in networks.items()
        for path, parameter in network.named_parameters()
        if parameter.requires_grad
    }
    seen: set[str] = set()
    hooks = [parameter.register_hook(functools.partial(_note, seen, where)) for where, parameter in asking.items()]
    subject.take_steps(_STEPS)
    for hook in hooks:
        hook.remove()
    for where in asking:
        assert where in seen, f"in {_STEPS} steps no gradient reaches {where}"


def _note(seen: set[str], where: str, gradient: Tensor) -> None:
    assert torch.isfinite(gradient).all(), f"the gradient of {where} is not finite"
    seen.add(where)
