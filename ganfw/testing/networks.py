"""What generators and discriminators must do."""

import copy
from pathlib import Path

import torch
from torch import Tensor, nn

from ganfw.engine.networks import call_with_labels, evaluation_mode
from ganfw.testing.subject import Subject, labels_of, random_on, samples_of
from ganfw.training.experiment import Experiment

_COUNT = 5


def gives_samples(subject: Subject, _folder: Path) -> None:
    """From noise it gives samples of the data's shape, images in [0, 1]; one row alone in evaluation mode too."""
    experiment = subject.experiment()
    network = experiment.generator
    for count, training in ((1, False), (_COUNT, False), (_COUNT, True)):
        network.train(training)
        samples = _call(network, experiment, _noise(experiment, count)).detach()
        mode = "training" if training else "evaluation"
        what = f"what it gives for {count} rows in {mode} mode"
        samples = subject.require_tensor(samples, what, (count, *experiment.batches.sample_shape))
        low, high = float(samples.min()), float(samples.max())
        is_image = len(experiment.batches.sample_shape) == 3
        subject.require(
            not is_image or (low >= 0 and high <= 1), f"{what} is from {low:.3g} to {high:.3g}; images are in [0, 1]"
        )


def samples_stand_alone(subject: Subject, _folder: Path) -> None:
    """In evaluation mode a sample depends on its own noise alone, not on what is generated beside it."""
    experiment = subject.experiment()
    z = _noise(experiment, 2 * _COUNT)
    with evaluation_mode(experiment.generator), torch.no_grad():
        all_rows, some_rows = (_call(experiment.generator, experiment, rows) for rows in (z, z[:_COUNT]))
    subject.require(
        torch.allclose(all_rows[:_COUNT], some_rows, atol=1e-5),
        "in evaluation mode a sample changes with what is generated beside it",
    )


def gives_logits(subject: Subject, _folder: Path) -> None:
    """From samples it gives one logit each."""
    experiment = subject.experiment()
    for count, training in ((1, False), (_COUNT, False), (_COUNT, True)):
        experiment.discriminator.train(training)
        logits = _call(experiment.discriminator, experiment, samples_of(experiment, count))
        mode = "training" if training else "evaluation"
        subject.require_tensor(logits, f"what it gives for {count} rows in {mode} mode", (count, 1))


def gives_no_probabilities(subject: Subject, _folder: Path) -> None:
    """What it gives has no bounds: with some weights it leaves [0, 1]."""
    experiment = subject.experiment()
    network, random = experiment.discriminator, random_on(experiment)
    samples = samples_of(experiment, 2 * _COUNT)
    bounded = True
    for scale in (0.1, 1.0, 10.0) * 4:
        with torch.no_grad():
            for weight in network.parameters():
                weight.copy_(scale * torch.randn(weight.shape, generator=random, device=weight.device))
            logits = _call(network, experiment, samples)
        bounded &= bool(((logits >= 0) & (logits <= 1)).all())
    subject.require(not bounded, "whatever its weights, it gives values in [0, 1]: leave the sigmoid to the loss")


def gradients_reach_the_samples(subject: Subject, _folder: Path) -> None:
    """Logits depend on samples by a gradient, from which the generator learns."""
    experiment = subject.experiment()
    samples = samples_of(experiment, _COUNT).clone().requires_grad_()
    (gradient,) = torch.autograd.grad(
        _call(experiment.discriminator, experiment, samples).sum(), samples, materialize_grads=True
    )
    subject.require(
        torch.isfinite(gradient).all() and bool(gradient.any()),
        "no finite gradient reaches the samples, so no generator can learn from it",
    )


def every_parameter_learns(subject: Subject, _folder: Path) -> None:
    """A gradient reaches every parameter that asks for one."""
    experiment = subject.experiment()
    network, inputs = _network(subject, experiment)
    outputs = _call(network.train(), experiment, inputs)
    weights = torch.randn(outputs.shape, generator=random_on(experiment, 1), device=outputs.device)
    (outputs * weights).sum().backward()
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            subject.require(parameter.grad is not None, f"no gradient reaches the parameter '{name}'")
            finite = parameter.grad is not None and torch.isfinite(parameter.grad).all()
            subject.require(finite, f"the gradient of the parameter '{name}' is not finite")


def leaves_its_input_alone(subject: Subject, _folder: Path) -> None:
    """It does not write into the tensor that it is given."""
    experiment = subject.experiment()
    network, inputs = _network(subject, experiment)
    before = inputs.clone()
    with torch.no_grad():
        _call(network, experiment, inputs)
    subject.require(torch.equal(inputs, before), "it writes into its input: its first layer must not work in place")


def moves_to_another_device(subject: Subject, _folder: Path) -> None:
    """All that it computes with moves with it; torch's meta device, which has shapes alone, stands for a GPU."""
    experiment = subject.experiment()
    network, inputs = _network(subject, experiment)
    for path, module in network.named_modules():
        for name, value in vars(module).items():
            if isinstance(value, Tensor):
                where = f"{path}.{name}".lstrip(".")
                complaint = f"the tensor '{where}' does not move with it: use register_buffer"
                subject.require(False, complaint)
    moved = copy.deepcopy(network).to("meta")
    labels = labels_of(experiment, len(inputs))
    try:
        outputs = call_with_labels(moved, inputs.to("meta"), None if labels is None else labels.to("meta"))
    except (RuntimeError, NotImplementedError) as error:
        raise AssertionError(
            f"{subject.offer}: moved to another device it fails: {error}; make tensors on the input's device"
        ) from error
    subject.require(outputs.is_meta, f"moved to another device, what it gives is still on {outputs.device}")


def _network(subject: Subject, experiment: Experiment) -> tuple[nn.Module, Tensor]:
    """Return the network and a batch of what goes into it."""
    if subject.offer.part.kind == "generator":
        return experiment.generator, _noise(experiment, _COUNT)
    return experiment.discriminator, samples_of(experiment, _COUNT)


def _noise(experiment: Experiment, count: int) -> Tensor:
    return experiment.noise(count, random_on(experiment))


def _call(network: nn.Module, experiment: Experiment, inputs: Tensor) -> Tensor:
    return call_with_labels(network, inputs, labels_of(experiment, len(inputs)))
