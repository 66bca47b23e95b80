"""What samplers must do."""

from typing import Any

import torch
from torch import Tensor

from ganfw.protocols import SampleRequest
from ganfw.testing.subject import Subject, comparable

_COUNT = 6


def gives_samples(subject: Subject) -> None:
    """It gives finite samples of the data's shape and range, on the CPU, as many as are asked for."""
    for count in (1, _COUNT):
        samples = _sample(subject, count=count)
        subject.require_samples(samples, f"what it gives for {count} samples", count)
        subject.require(samples.device.type == "cpu", f"its samples are on {samples.device}, not on the CPU")


def follows_from_the_seed(subject: Subject) -> None:
    """With one seed and the same inputs its samples are the same; with others of both they are not."""
    first, again, other = (_sample(subject, seed=seed) for seed in (0, 0, 1))
    subject.require(torch.equal(first, again), "with one seed it gives other samples the second time")
    subject.require(not torch.equal(first, other), "with another seed and other inputs it gives the same samples")


def batches_change_nothing(subject: Subject) -> None:
    """How many samples go through a network at once changes nothing but memory."""
    whole, parts = (_sample(subject, batch_size=size) for size in (_COUNT, 4))
    same = whole.shape == parts.shape and torch.allclose(whole, parts, atol=1e-5)
    subject.require(same, "in smaller batches it gives other samples")


def leaves_everything_alone(subject: Subject) -> None:
    """Networks keep weights, buffers and modes, and the global random generators their state."""
    before, random = _state(subject), subject.randomness()
    _sample(subject)
    unchanged = subject.randomness() == random
    subject.require(unchanged, "it draws from a global random generator: make one from request.seed")
    subject.require(_state(subject) == before, "it changes a network: use ganfw.evaluation_mode and torch.no_grad")


def _sample(subject: Subject, *, count: int = _COUNT, seed: int = 0, batch_size: int = 512) -> Tensor:
    """Return samples; those of seed 1 start from other inputs than those of seed 0."""
    inputs, _ = list(subject.batches.first(2 * _COUNT).split(2))[seed]
    request = SampleRequest(count=count, seed=seed, inputs=inputs, batch_size=batch_size)
    samples: Tensor = subject.part(request)
    return samples


def _state(subject: Subject) -> list[Any]:
    networks = {**subject.experiment.networks, **subject.experiment.source.networks}
    modes = [module.training for network in networks.values() for module in network.modules()]
    return [modes, *comparable({name: network.state_dict() for name, network in networks.items()})]
