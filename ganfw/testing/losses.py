"""What losses must do."""

from collections.abc import Callable
from typing import Any
from unittest import SkipTest

import torch
from torch import Tensor

from ganfw.testing.subject import Subject
from ganfw.training.objective import is_relativistic


def gives_finite_scalars(subject: Subject) -> None:
    """Both losses are scalars, and finite, of one logit and of extreme ones too."""
    loss = subject.part
    for scale in (0.0, 1.0, 20.0):
        for count in (1, 6):
            logits = torch.linspace(-1, 1, count, device=subject.device).reshape(-1, 1)
            real, fake = (scale * sign * logits for sign in (1, -1))
            for name, value in _values(loss, real, fake).items():
                subject.require_tensor(value, f"the {name}'s loss of logits up to {scale:g}", ())


def is_a_mean(subject: Subject) -> None:
    """A batch that holds everything twice has the same loss, so the learning rate does not depend on its size."""
    loss = subject.part
    real, fake = _logits(subject, 6)
    once, twice = _values(loss, real, fake), _values(loss, torch.cat([real, real]), torch.cat([fake, fake]))
    for name in once:
        assert torch.allclose(once[name], twice[name]), (
            f"the {name}'s loss of a batch that holds everything twice is {float(twice[name]):.4g}, not "
            f"{float(once[name]):.4g}: take the mean over the batch"
        )


def gradients_have_the_right_signs(subject: Subject) -> None:
    """Better separated logits lower the discriminator's loss; fakes that are judged more real, the generator's."""
    loss = subject.part
    _require_float64(subject.device)
    undecided = torch.linspace(-0.1, 0.1, 8, dtype=torch.float64, device=subject.device).reshape(-1, 1)
    real, fake = _gradients(lambda real, fake: loss.discriminator(real, fake), undecided, undecided)
    assert real < 1e-9, "a higher logit of real samples raises the discriminator's loss: turn its sign"
    assert fake > -1e-9, "a higher logit of fakes lowers the discriminator's loss: turn its sign"
    assert max(-real, fake) > 1e-9, "the discriminator's loss does not change with logits near 0: it cannot learn"
    of_real, of_fake = undecided + 0.5, undecided - 0.5
    _, fake = _gradients(lambda real, fake: _of_generator(loss, real, fake), of_real, of_fake)
    assert fake < 0, (
        "the generator's loss does not fall when fakes are judged more real: turn its sign"
        if fake > 0
        else "the generator's loss does not change with the logits of fakes: it cannot learn"
    )


def gradients_are_right(subject: Subject) -> None:
    """Gradients are those of finite differences, so nothing is detached or rounded on the way."""
    _require_float64(subject.device)
    loss = subject.part
    real, fake = (logits.double().requires_grad_() for logits in _logits(subject, 4))
    for name, function, inputs in (
        ("discriminator", loss.discriminator, (real, fake)),
        ("generator", lambda fake: _of_generator(loss, real.detach(), fake), (fake,)),
    ):
        right = torch.autograd.gradcheck(function, inputs, raise_exception=False)
        assert right, f"the gradient of the {name}'s loss is not that of finite differences"


def draws_nothing(subject: Subject) -> None:
    """The losses depend only on the logits, and do not change them."""
    loss = subject.part
    real, fake = _logits(subject, 6)
    kept = (real.clone(), fake.clone())
    with subject.draws_nothing("a loss samples nothing"):
        first, second = (_values(loss, real, fake) for _ in range(2))
    assert all(map(torch.equal, (real, fake), kept)), "it writes into the logits"
    assert all(torch.equal(first[name], second[name]) for name in first), "with the same logits it gives another loss"


def _values(loss: Any, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
    return {"discriminator": loss.discriminator(real, fake), "generator": _of_generator(loss, real, fake)}


def _of_generator(loss: Any, real: Tensor, fake: Tensor) -> Tensor:
    value: Tensor = (
        loss.generator(fake_logits=fake, real_logits=real) if is_relativistic(loss) else loss.generator(fake)
    )
    return value


def _logits(subject: Subject, count: int) -> list[Tensor]:
    random = torch.Generator().manual_seed(0)
    return [torch.randn(count, 1, generator=random).to(subject.device) for _ in range(2)]


def _require_float64(device: torch.device) -> None:
    if device.type == "mps":
        raise SkipTest("MPS has no float64, in which gradients are compared")


def _gradients(function: Callable[[Tensor, Tensor], Tensor], real: Tensor, fake: Tensor) -> tuple[float, float]:
    """Return the sums over the batch of the gradients with respect to both logits."""
    inputs = [real.clone().requires_grad_(), fake.clone().requires_grad_()]
    value = function(*inputs)
    if not value.requires_grad:
        return 0.0, 0.0
    first, second = torch.autograd.grad(value, inputs, materialize_grads=True)
    return float(first.sum()), float(second.sum())
