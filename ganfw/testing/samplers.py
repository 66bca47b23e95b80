"""What samplers must do."""

from typing import Any

import torch
from torch import Tensor

from ganfw.errors import InputError
from ganfw.protocols import SampleRequest
from ganfw.testing.subject import Subject, comparable

_COUNT = 6


def gives_samples(subject: Subject) -> None:
    """It gives finite samples of the data's shape and range, on the CPU, as many as are asked for."""
    for count in (1, _COUNT):
        samples = _sample(subject, count=count)
        subject.require_samples(samples, f"what it gives for {count} samples", count)
        assert samples.device.type == "cpu", f"its samples are on {samples.device}, not on the CPU"


def says_whether_it_takes_inputs(subject: Subject) -> None:
    """It makes samples without inputs, unless it has `takes_inputs = True`."""
    if getattr(subject.part, "takes_inputs", False):
        return
    try:
        subject.part(SampleRequest(count=_COUNT))
    except InputError as error:
        raise AssertionError(f"without inputs it refuses, so it must have takes_inputs = True: {error}") from error


def follows_from_the_seed(subject: Subject) -> None:
    """With one seed and the same inputs its samples are the same; with others of both they are not."""
    first, again, other = (_sample(subject, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first, again), "with one seed it gives other samples the second time"
    assert not torch.equal(first, other), "with another seed and other inputs it gives the same samples"


def batches_change_nothing(subject: Subject) -> None:
    """How many samples go through a network at once changes nothing but memory."""
    whole, parts = (_sample(subject, batch_size=size) for size in (_COUNT, 4))
    same = whole.shape == parts.shape and torch.allclose(whole, parts, atol=1e-5)
    assert same, "in smaller batches it gives other samples"


def changes_nothing_else(subject: Subject) -> None:
    """Networks keep weights, buffers and modes, and the global random generators their state."""
    before = _state(subject)
    with subject.draws_nothing("make one from request.seed"):
        _sample(subject)
    assert _state(subject) == before, "it changes a network: use ganfw.evaluation_mode and torch.no_grad"


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
