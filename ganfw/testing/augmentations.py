"""What augmentations must do."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ganfw.data import RowRandom
from ganfw.testing.subject import Subject

_COUNT = 32


def keeps_the_form(subject: Subject) -> None:
    """Samples keep their shape and dtype, and stay finite; those that were given are not written into."""
    samples = subject.samples(_COUNT).clone()
    before = samples.clone()
    augmented = _augment(_part(subject), samples, subject)
    subject.require_tensor(augmented, "what it gives", tuple(samples.shape))
    assert torch.equal(samples, before), "it writes into the samples that it is given"


def lets_gradients_through(subject: Subject) -> None:
    """A finite gradient reaches the samples, from which the generator learns."""
    samples = subject.samples(_COUNT).clone().requires_grad_()
    augmented = _augment(_part(subject), samples, subject)
    assert augmented.requires_grad, "no gradient passes through it"
    (gradient,) = torch.autograd.grad(augmented.sum(), samples, materialize_grads=True)
    reaches = torch.isfinite(gradient).all() and gradient.any()
    assert reaches, "no finite gradient passes through it"


def treats_rows_independently(subject: Subject) -> None:
    """What becomes of a sample does not depend on the other samples of the batch."""
    part = _part(subject)
    samples = subject.samples(_COUNT)
    others = torch.cat([samples[:1], 1 - samples[1:]])
    rows = [_augment(part, batch, subject)[0] for batch in (samples, others)]
    assert torch.equal(*rows), "what it does to a sample depends on the other samples of the batch"


def changes_each_row_in_its_own_way(subject: Subject) -> None:
    """It changes something, and not all rows alike; an adaptive one, once it has observed that it should."""
    part = _part(subject)
    samples = subject.samples(1).expand(_COUNT, *subject.batches.sample_shape)
    augmented = _augment(part, samples, subject)
    when = " after observing ever surer logits of a million real samples" if hasattr(part, "observe") else ""
    assert not torch.equal(augmented, samples), f"with its defaults it changes nothing{when}"
    assert not torch.equal(augmented, augmented[:1].expand_as(augmented)), (
        "it changes all rows of a batch alike: draw a number for each row"
    )


def draws_only_from_its_random(subject: Subject) -> None:
    """With the same random numbers it does the same, to real samples and fakes alike; it uses no global generator."""
    part = _part(subject)
    samples = subject.samples(_COUNT)
    with subject.draws_nothing("draw from the `random` that it is given"):
        first, second = (_augment(part, samples, subject) for _ in range(2))
    assert torch.equal(first, second), "with the same samples and random numbers it gives something else"
    other = part(samples, RowRandom(subject.random(1), _COUNT))
    assert not torch.equal(first, other), "with other random numbers it does the same"


def gives_statistics(subject: Subject) -> None:
    """What an adaptive one returns are finite scalars, detached, on the device, with the same names in every pass."""
    part = subject.part
    if not hasattr(part, "observe"):
        return
    passes = []
    for sureness in (-1.0, 0.0, 1.0, 10.0):
        returned = part.observe(torch.full((_COUNT, 1), sureness, device=subject.device))
        is_mapping = returned is None or isinstance(returned, Mapping)
        assert is_mapping, f"observe must return a mapping or None, not {type(returned).__name__}"
        passes.append(returned or {})
    subject.require_statistics(passes)


def _part(subject: Subject) -> Any:
    """Return the augmentation; an adaptive one has observed a discriminator that knows its data by heart."""
    part = subject.part
    if hasattr(part, "observe"):
        logits = torch.full((1000, 1), 10.0, device=subject.device)
        for _ in range(1000):
            part.observe(logits)
    return part


def _augment(part: Any, samples: Tensor, subject: Subject) -> Tensor:
    augmented: Tensor = part(samples, RowRandom(subject.random(), len(samples)))
    return augmented
