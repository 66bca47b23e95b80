"""What discriminators must do."""

import torch
from torch import Tensor, nn

from ganfw.engine.networks import outputs_of
from ganfw.testing.networks import Inputs, inputs_in_training
from ganfw.testing.subject import Subject

_COUNT = 5


def gives_logits(subject: Subject) -> None:
    """It gives logits for each sample, `(n, 1, ...)`; for one row alone in evaluation mode too."""
    network, given = subject.part, inputs_in_training(subject)
    for count, training in ((1, False), (_COUNT, False), (_COUNT, True)):
        logits = _logits(network.train(training), given.rows(count))
        mode = "training" if training else "evaluation"
        subject.require_tensor(logits, f"what it gives for {count} rows in {mode} mode", (count, 1, *logits.shape[2:]))


def gives_no_probabilities(subject: Subject) -> None:
    """Its logits may be below 0: with a Sigmoid, a ReLU or a Softmax at its end they never are."""
    network, given = subject.part, inputs_in_training(subject)
    random = subject.random()
    least, most = float("inf"), -float("inf")
    for scale in (0.1, 1.0, 10.0) * 4:
        with torch.no_grad():
            for weight in network.parameters():
                weight.copy_(scale * torch.randn(weight.shape, generator=random, device=weight.device))
            logits = _logits(network, given.rows(2 * _COUNT))
        least, most = min(least, float(logits.min())), max(most, float(logits.max()))
    values = "values in [0, 1]: leave the sigmoid or softmax" if most <= 1 else "no value below 0: leave the ReLU"
    out = " out" if most > 1 else " to the loss"
    subject.require(least < 0, f"whatever its weights, it gives {values}{out}, for a loss takes logits of both signs")


def gradients_reach_the_samples(subject: Subject) -> None:
    """Logits depend on samples by a gradient, from which the generator learns."""
    given = inputs_in_training(subject).rows(_COUNT)
    logits = _logits(subject.part, Inputs(given.first.requires_grad_(), given.named))
    (gradient,) = torch.autograd.grad(logits.sum(), given.first, materialize_grads=True)
    subject.require(
        torch.isfinite(gradient).all() and bool(gradient.any()),
        "no finite gradient reaches the samples, so no generator can learn from it",
    )


def _logits(network: nn.Module, given: Inputs) -> Tensor:
    return outputs_of(network(given.first, **given.named))["logits"]
