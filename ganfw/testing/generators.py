"""What generators must do."""

import torch

from ganfw.engine.networks import evaluation_mode
from ganfw.testing.networks import inputs_in_training
from ganfw.testing.subject import Subject

_COUNT = 5


def gives_samples(subject: Subject) -> None:
    """It gives samples of the data's shape and range; one row alone in evaluation mode too."""
    network, given = subject.part, inputs_in_training(subject)
    for count, training in ((1, False), (_COUNT, False), (_COUNT, True)):
        network.train(training)
        inputs = given.rows(count)
        mode = "training" if training else "evaluation"
        samples = network(inputs.first, **inputs.named)
        samples = samples.detach() if isinstance(samples, torch.Tensor) else samples
        subject.require_samples(samples, f"what it gives for {count} rows in {mode} mode", count)


def samples_stand_alone(subject: Subject) -> None:
    """In evaluation mode a sample depends on its own inputs alone, not on what is generated beside it."""
    network, given = subject.part, inputs_in_training(subject)
    with evaluation_mode(network), torch.no_grad():
        many, few = (network(rows.first, **rows.named) for rows in (given.rows(2 * _COUNT), given.rows(_COUNT)))
    subject.require(
        torch.allclose(many[:_COUNT], few, atol=1e-5),
        "in evaluation mode a sample changes with what is generated beside it",
    )
