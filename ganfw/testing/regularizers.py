"""What regularizers must do."""

import functools
import operator
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ganfw.data import RowRandom
from ganfw.engine.networks import call_network, outputs_of
from ganfw.protocols import UpdateContext
from ganfw.testing.subject import Subject, copies_of

_COUNT = 6
_NETWORKS = ("discriminator", "generator")


def does_something(subject: Subject) -> None:
    """It has a term for a network or limits weights, and says how often by a whole number."""
    regularizer = subject.part
    methods = [name for name in (*_NETWORKS, "constrain") if callable(getattr(regularizer, name, None))]
    subject.require(bool(methods), "it has none of the methods discriminator, generator and constrain")
    every_steps = getattr(regularizer, "every_steps", 1)
    whole = isinstance(every_steps, int) and every_steps >= 1
    subject.require(whole, f"every_steps must be a whole number >= 1, not {every_steps!r}")


def gives_finite_scalars(subject: Subject) -> None:
    """Its terms are finite scalars."""
    for name, term in _terms(subject).items():
        subject.require_tensor(term, f"its term for the {name}", ())


def gradients_reach_the_network(subject: Subject) -> None:
    """A term changes with the weights of the network that it is for, by a finite gradient."""
    for name, term in _terms(subject).items():
        gradients = _gradients(term, list(subject.builder.networks()[name].parameters()))
        subject.require(bool(gradients), f"no gradient of its term for the {name} reaches the {name}")
        for gradient in gradients:
            subject.require(torch.isfinite(gradient).all(), f"the gradient of its term for the {name} is not finite")
        moves = any(bool(gradient.any()) for gradient in gradients)
        subject.require(moves, f"the gradient of its term for the {name} is 0 everywhere")


def draws_from_the_context_alone(subject: Subject) -> None:
    """Random numbers come from `context.random`: with the same ones a term is the same, built and asked anew."""
    before = subject.randomness()
    first, second = _terms(subject), _terms(subject.again())
    same = subject.randomness() == before
    subject.require(same, "it draws from a global random generator: draw from context.random")
    for name in first:
        subject.require(
            torch.equal(first[name], second[name]), f"with the same random numbers its term for the {name} differs"
        )


def leaves_the_networks_alone(subject: Subject) -> None:
    """Computing a term changes neither weights nor gradients."""
    before = [copy for network in subject.builder.networks().values() for copy in copies_of(network)]
    _terms(subject)
    for old, weight in zip(before, _weights(subject), strict=True):
        subject.require(torch.equal(old, weight), "computing its term changes weights")
        subject.require(weight.grad is None, "computing its term leaves gradients behind: use torch.autograd.grad")
        subject.require(weight.requires_grad, "computing its term leaves weights that need no gradient any more")


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
    subject.require(
        len(after) == len(parameters) and all(map(operator.is_, parameters, after)),
        "constrain replaces parameters, which their optimizer does not know: change them in place",
    )
    kept = all(parameter.shape == shape for parameter, shape in zip(after, shapes, strict=True))
    subject.require(kept, "constrain changes the shape of a parameter")
    subject.require(all(torch.isfinite(p).all() for p in after), "constrain leaves weights that are not finite")
    subject.require(
        not all(map(torch.equal, before, after)), "constrain leaves weights a hundred times as large as they are"
    )


def _weights(subject: Subject) -> list[nn.Parameter]:
    return [weight for network in subject.builder.networks().values() for weight in network.parameters()]


def _gradients(term: Tensor, weights: list[nn.Parameter]) -> list[Tensor]:
    if not term.requires_grad:
        return []
    gradients: tuple[Tensor | None, ...] = torch.autograd.grad(term, weights, allow_unused=True)
    return [gradient for gradient in gradients if gradient is not None]


def _terms(subject: Subject) -> dict[str, Tensor]:
    """Return the terms of a regularizer, computed as in the updates of a step."""
    regularizer, networks = subject.part, subject.builder.networks()
    batch = subject.batches.first(_COUNT)
    z = subject.builder.part("noise")(len(batch), subject.random())

    def outputs(samples: Tensor) -> Mapping[str, Tensor]:
        named = {"z": z, "labels": batch.labels, **batch.more}
        return outputs_of(call_network(networks["discriminator"], samples, **named))

    def generate(z: Tensor) -> Tensor:
        fakes: Tensor = call_network(networks["generator"], z, labels=batch.labels, **batch.more)
        return fakes

    terms = {}
    for network in filter(functools.partial(hasattr, regularizer), _NETWORKS):
        is_discriminator = network == "discriminator"
        fake = generate(z).detach() if is_discriminator else generate(z)
        context = UpdateContext(
            real=batch.samples,
            fake=fake,
            real_outputs=outputs(batch.samples) if is_discriminator else None,
            fake_outputs=outputs(fake),
            z=z,
            labels=batch.labels,
            discriminate=lambda samples: outputs(samples)["logits"],
            generate=generate,
            networks=networks,
            random=RowRandom(subject.random(1), len(batch)),
        )
        terms[network] = getattr(regularizer, network)(context)
    return terms
