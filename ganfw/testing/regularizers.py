"""What regularizers must do."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganfw.data import RowRandom
from ganfw.engine.networks import call_with_labels
from ganfw.protocols import UpdateContext
from ganfw.testing.subject import Subject, labels_of, random_on, randomness, samples_of
from ganfw.training.experiment import Experiment

_COUNT = 6
_NETWORKS = ("discriminator", "generator")


def does_something(subject: Subject, _folder: Path) -> None:
    """It has a term for a network or limits weights, and says how often by a whole number."""
    regularizer = subject.fresh()
    methods = [name for name in (*_NETWORKS, "constrain") if callable(getattr(regularizer, name, None))]
    subject.require(bool(methods), "it has none of the methods discriminator, generator and constrain")
    every_steps = getattr(regularizer, "every_steps", 1)
    whole = isinstance(every_steps, int) and every_steps >= 1
    subject.require(whole, f"every_steps must be a whole number >= 1, not {every_steps!r}")


def gives_finite_scalars(subject: Subject, _folder: Path) -> None:
    """Its terms are finite scalars."""
    experiment = subject.experiment()
    for name, term in _terms(subject, experiment).items():
        subject.require_tensor(term, f"its term for the {name}", ())


def gradients_reach_the_network(subject: Subject, _folder: Path) -> None:
    """A term changes with the weights of the network that it is for, by a finite gradient."""
    experiment = subject.experiment()
    for name, term in _terms(subject, experiment).items():
        network: nn.Module = getattr(experiment, name)
        gradients = _gradients(term, list(network.parameters()))
        subject.require(bool(gradients), f"no gradient of its term for the {name} reaches the {name}")
        for gradient in gradients:
            subject.require(torch.isfinite(gradient).all(), f"the gradient of its term for the {name} is not finite")
        moves = any(bool(gradient.any()) for gradient in gradients)
        subject.require(moves, f"the gradient of its term for the {name} is 0 everywhere")


def draws_from_the_context_alone(subject: Subject, _folder: Path) -> None:
    """Random numbers come from `context.random`: with the same ones a term is the same."""
    experiment = subject.experiment()
    before = randomness(experiment)
    first, second = (_terms(subject, experiment) for _ in range(2))
    same = randomness(experiment) == before
    subject.require(same, "it draws from a global random generator: draw from context.random")
    for name in first:
        subject.require(torch.equal(first[name], second[name]), f"with the same draws its term for the {name} differs")


def leaves_the_networks_alone(subject: Subject, _folder: Path) -> None:
    """Computing a term changes neither weights nor gradients."""
    experiment = subject.experiment()
    before = [weight.clone() for weight in _weights(experiment)]
    _terms(subject, experiment)
    for old, weight in zip(before, _weights(experiment), strict=True):
        subject.require(torch.equal(old, weight), "computing its term changes weights")
        subject.require(weight.grad is None, "computing its term leaves gradients behind: use torch.autograd.grad")
        subject.require(weight.requires_grad, "computing its term leaves weights that need no gradient any more")


def constrains_within_reason(subject: Subject, _folder: Path) -> None:
    """Limits of weights are set in place: the same parameters, of the same shape, with finite values."""
    experiment = subject.experiment()
    regularizer = subject.part(experiment)
    if not hasattr(regularizer, "constrain"):
        return
    parameters = list(experiment.discriminator.parameters())
    shapes = [parameter.shape for parameter in parameters]
    with torch.no_grad():
        for parameter in parameters:
            parameter.mul_(100)
        before = [parameter.clone() for parameter in parameters]
        regularizer.constrain(experiment.discriminator)
    after = list(experiment.discriminator.parameters())
    subject.require(
        len(after) == len(parameters) and all(map(_is, parameters, after)),
        "constrain replaces parameters, which their optimizer does not know: change them in place",
    )
    kept = all(parameter.shape == shape for parameter, shape in zip(after, shapes, strict=True))
    subject.require(kept, "constrain changes the shape of a parameter")
    subject.require(all(torch.isfinite(p).all() for p in after), "constrain leaves weights that are not finite")
    subject.require(
        not all(map(torch.equal, before, after)), "constrain leaves weights a hundred times as large as they are"
    )


def _is(left: object, right: object) -> bool:
    return left is right


def _weights(experiment: Experiment) -> list[nn.Parameter]:
    return [*experiment.generator.parameters(), *experiment.discriminator.parameters()]


def _gradients(term: Tensor, weights: list[nn.Parameter]) -> list[Tensor]:
    if not term.requires_grad:
        return []
    gradients: tuple[Tensor | None, ...] = torch.autograd.grad(term, weights, allow_unused=True)
    return [gradient for gradient in gradients if gradient is not None]


def _terms(subject: Subject, experiment: Experiment) -> dict[str, Tensor]:
    """Return the terms of a regularizer as in the updates of a step."""
    regularizer: Any = subject.part(experiment)
    real, labels = samples_of(experiment, _COUNT), labels_of(experiment, _COUNT)

    def discriminate(samples: Tensor) -> Tensor:
        return call_with_labels(experiment.discriminator, samples, labels)

    terms = {}
    for network in _NETWORKS:
        if hasattr(regularizer, network):
            z = experiment.noise(_COUNT, random_on(experiment))
            fake = call_with_labels(experiment.generator, z, labels)
            if network == "discriminator":
                fake = fake.detach()
            context = UpdateContext(
                real=real,
                fake=fake,
                real_logits=discriminate(real) if network == "discriminator" else None,
                fake_logits=discriminate(fake),
                labels=labels,
                discriminate=discriminate,
                generator=experiment.generator,
                discriminator=experiment.discriminator,
                random=RowRandom(random_on(experiment, 1), _COUNT),
            )
            terms[network] = getattr(regularizer, network)(context)
    return terms
