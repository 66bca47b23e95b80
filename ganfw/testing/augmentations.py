"""What augmentations must do."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganfw.data import RowRandom
from ganfw.testing.subject import Subject, random_on, randomness, samples_of
from ganfw.training.experiment import Experiment

_COUNT = 32


def keeps_the_form(subject: Subject, _folder: Path) -> None:
    """Samples keep their shape and dtype, and stay finite; those that were given are not written into."""
    experiment = subject.experiment()
    samples = samples_of(experiment, _COUNT).clone()
    before = samples.clone()
    augmented = _augment(_part(subject, experiment), samples, experiment)
    subject.require_tensor(augmented, "what it gives", tuple(samples.shape))
    subject.require(torch.equal(samples, before), "it writes into the samples that it is given")


def lets_gradients_through(subject: Subject, _folder: Path) -> None:
    """A finite gradient reaches the samples, from which the generator learns."""
    experiment = subject.experiment()
    samples = samples_of(experiment, _COUNT).clone().requires_grad_()
    augmented = _augment(_part(subject, experiment), samples, experiment)
    subject.require(augmented.requires_grad, "no gradient passes through it")
    (gradient,) = torch.autograd.grad(augmented.sum(), samples, materialize_grads=True)
    reaches = torch.isfinite(gradient).all() and bool(gradient.any())
    subject.require(reaches, "no finite gradient passes through it")


def treats_rows_alone(subject: Subject, _folder: Path) -> None:
    """What becomes of a sample does not depend on the other samples of the batch."""
    experiment = subject.experiment()
    part = _part(subject, experiment)
    samples = samples_of(experiment, _COUNT)
    others = torch.cat([samples[:1], 1 - samples[1:]])
    rows = [_augment(part, batch, experiment)[0] for batch in (samples, others)]
    subject.require(torch.equal(*rows), "what it does to a sample depends on the other samples of the batch")


def changes_each_row_in_its_own_way(subject: Subject, _folder: Path) -> None:
    """It changes something, and not all rows alike; an adaptive one, once it has observed that it should."""
    experiment = subject.experiment()
    part = _part(subject, experiment)
    samples = samples_of(experiment, 1).expand(_COUNT, *experiment.batches.sample_shape)
    augmented = _augment(part, samples, experiment)
    when = " after observing ever surer logits of a million real samples" if hasattr(part, "observe") else ""
    subject.require(not torch.equal(augmented, samples), f"with its defaults it changes nothing{when}")
    subject.require(
        not torch.equal(augmented, augmented[:1].expand_as(augmented)),
        "it changes all rows of a batch alike: draw a number for each row",
    )


def draws_from_the_draws_alone(subject: Subject, _folder: Path) -> None:
    """With the same draws it does the same, to real samples and fakes alike; it uses no global generator."""
    experiment = subject.experiment()
    part = _part(subject, experiment)
    samples = samples_of(experiment, _COUNT)
    before = randomness(experiment)
    first, second = (_augment(part, samples, experiment) for _ in range(2))
    same = randomness(experiment) == before
    subject.require(same, "it draws from a global random generator: draw from the draws that it is given")
    subject.require(torch.equal(first, second), "with the same samples and draws it gives something else")
    other = part(samples, RowRandom(random_on(experiment, 1), _COUNT))
    subject.require(not torch.equal(first, other), "with other draws it does the same")


def tells_statistics(subject: Subject, _folder: Path) -> None:
    """What an adaptive one tells are finite scalars, detached, on the device, with the same names in every pass."""
    experiment = subject.experiment()
    part = subject.part(experiment)
    if not hasattr(part, "observe"):
        return
    passes = []
    for sureness in (-1.0, 0.0, 1.0, 10.0):
        told = part.observe(torch.full((_COUNT, 1), sureness, device=experiment.device))
        is_told = told is None or isinstance(told, Mapping)
        subject.require(is_told, f"observe must return a mapping or None, not {type(told).__name__}")
        passes.append(told or {})
    subject.require_statistics(passes, experiment.device)


def _part(subject: Subject, experiment: Experiment) -> Any:
    """Return the augmentation; an adaptive one has observed a discriminator that knows its data by heart."""
    part = subject.part(experiment)
    if hasattr(part, "observe"):
        logits = torch.full((1000, 1), 10.0, device=experiment.device)
        for _ in range(1000):
            part.observe(logits)
    return part


def _augment(part: Any, samples: Tensor, experiment: Experiment) -> Tensor:
    augmented: Tensor = part(samples, RowRandom(random_on(experiment), len(samples)))
    return augmented
