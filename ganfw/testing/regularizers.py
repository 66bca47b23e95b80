"""What regularizers must do."""

import operator
from typing import Any

import torch
from torch import Tensor, nn

from ganfw.data import RowRandom
from ganfw.protocols import UpdateContext
from ganfw.testing.subject import Subject
from ganfw.training.objective import Objective

_COUNT = 6
_NETWORKS = ("discriminator", "generator")


def does_something(subject: Subject) -> None:
    """It has a term for a network or limits weights, and says how often by a whole number."""
    regularizer = subject.part
    methods = [name for name in (*_NETWORKS, "constrain") if callable(getattr(regularizer, name, None))]
    assert methods, "it has none of the methods discriminator, generator and constrain"
    every_steps = getattr(regularizer, "every_steps", 1)
    whole = isinstance(every_steps, int) and every_steps >= 1
    assert whole, f"every_steps must be a whole number >= 1, not {every_steps!r}"


def gives_finite_scalars(subject: Subject) -> None:
    """Its terms are finite scalars."""
    for name, term in _terms(subject).items():
        subject.require_tensor(term, f"its term for the {name}", ())


def gradients_reach_the_network(subject: Subject) -> None:
    """A term changes with the weights of the network that it is for, by a finite gradient."""
    for name, term in _terms(subject).items():
        gradients = _gradients(term, list(subject.builder.networks()[name].parameters()))
        assert gradients, f"no gradient of its term for the {name} reaches the {name}"
        for gradient in gradients:
            assert torch.isfinite(gradient).all(), f"the gradient of its term for the {name} is not finite"
        moves = any(gradient.any() for gradient in gradients)
        assert moves, f"the gradient of its term for the {name} is 0 everywhere"


def draws_only_from_the_context(subject: Subject) -> None:
    """Random numbers come from `context.random`: with the same ones a term is the same, built and asked anew."""
    with subject.draws_nothing("draw from context.random"):
        first, second = _terms(subject), _terms(subject.again())
    for name in first:
        assert torch.equal(first[name], second[name]), f"with the same random numbers its term for the {name} differs"


def does_not_change_the_networks(subject: Subject) -> None:
    """Computing a term changes neither weights nor gradients."""
    before = [weight.detach().clone() for weight in _weights(subject)]
    _terms(subject)
    for old, weight in zip(before, _weights(subject), strict=True):
        assert torch.equal(old, weight), "computing its term changes weights"
        assert weight.grad is None, "computing its term leaves gradients behind: use torch.autograd.grad"
        assert weight.requires_grad, "computing its term leaves weights that need no gradient any more"


def constrains_within_reason(subject: Subject) -> None:
    """Limits of weights are set in place: the same parameters, of the same shape, with finite values."""
    regularizer = subject.part
    if not hasattr(regularizer, "constrain"):
        return
    discriminator = subject.builder.networks()["discriminator"]
    parameters = list(discriminator.parameters())
    shapes = [parameter.shape for parameter in parameters]
    with torch.no_grad():
        for parameter in parameters:
            parameter.mul_(100)
        before = [parameter.clone() for parameter in parameters]
        regularizer.constrain(discriminator)
    after = list(discriminator.parameters())
    same = len(after) == len(parameters) and all(map(operator.is_, parameters, after))
    assert same, "constrain replaces parameters, which their optimizer does not know: change them in place"
    kept = all(parameter.shape == shape for parameter, shape in zip(after, shapes, strict=True))
    assert kept, "constrain changes the shape of a parameter"
    assert all(torch.isfinite(p).all() for p in after), "constrain leaves weights that are not finite"
    assert not all(map(torch.equal, before, after)), "constrain leaves weights a hundred times as large as they are"


def _weights(subject: Subject) -> list[nn.Parameter]:
    return [weight for network in subject.builder.networks().values() for weight in network.parameters()]


def _gradients(term: Tensor, weights: list[nn.Parameter]) -> list[Tensor]:
    if not term.requires_grad:
        return []
    gradients: tuple[Tensor | None, ...] = torch.autograd.grad(term, weights, allow_unused=True)
    return [gradient for gradient in gradients if gradient is not None]


class _Noted:
    """A regularizer whose terms are noted, by network."""

    def __init__(self, regularizer: Any) -> None:
        self._regularizer = regularizer
        self.terms: dict[str, Tensor] = {}

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._regularizer, name)
        if name not in _NETWORKS:
            return method

        def note(context: UpdateContext) -> Tensor:
            self.terms[name] = method(context)
            return self.terms[name]

        return note


def _terms(subject: Subject) -> dict[str, Tensor]:
    """Compute the losses of an objective, and return the terms that the regularizer adds to them, by network."""
    noted, networks, batch = _Noted(subject.part), subject.builder.networks(), subject.batches.first(_COUNT)
    loss = subject.registry.load("loss", "ganfw:wasserstein")()
    objective = Objective(networks["generator"], networks["discriminator"], loss, {"checked": noted}, None, networks)
    z = subject.builder.part("noise")(len(batch), subject.random())
    for network, loss_of in (("discriminator", objective.of_discriminator), ("generator", objective.of_generator)):
        loss_of(batch, RowRandom(subject.random(1), len(batch)), *objective.due(network, batch), z)
    return noted.terms
