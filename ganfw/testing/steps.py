"""What steps must do."""

from pathlib import Path

import torch
from torch import Tensor, nn

from ganfw.testing.subject import Subject, random_on, randomness
from ganfw.training.experiment import Experiment

_STEPS = 5


def trains_both_networks(subject: Subject, _folder: Path) -> None:
    """Every parameter of both networks gets a finite gradient, and both networks move."""
    experiment = subject.experiment()
    for name in ("generator", "discriminator"):
        network: nn.Module = getattr(experiment, name)
        before = _copy(network)
        seen: set[str] = set()
        hooks = [
            parameter.register_hook(_Note(subject, name, path, seen)) for path, parameter in network.named_parameters()
        ]
        _run(experiment)
        for hook in hooks:
            hook.remove()
        for path, parameter in network.named_parameters():
            if parameter.requires_grad:
                subject.require(path in seen, f"in {_STEPS} steps no gradient reaches '{path}' of the {name}")
        moved = not all(map(torch.equal, before, network.parameters()))
        subject.require(moved, f"in {_STEPS} steps no weight of the {name} moves")


def each_update_is_of_its_own_network(subject: Subject, _folder: Path) -> None:
    """Where the optimizer of one network stands still so does the network, and the other one moves."""
    for still, moving in (("generator", "discriminator"), ("discriminator", "generator")):
        experiment = subject.experiment()
        for group in experiment.optimizers[still].param_groups:
            group["lr"] = 0.0
        before = {name: _copy(getattr(experiment, name)) for name in (still, moving)}
        _run(experiment)
        same = {name: all(map(torch.equal, before[name], getattr(experiment, name).parameters())) for name in before}
        subject.require(same[still], f"weights of the {still} change though its optimizer has a learning rate of 0")
        complaint = f"weights of the {moving} stand still where the {still}'s optimizer has a learning rate of 0"
        subject.require(not same[moving], complaint)


def gives_statistics(subject: Subject, _folder: Path) -> None:
    """Statistics are finite scalars, detached, on the device, with the same names in every step."""
    experiment = subject.experiment()
    passes = list(_run(experiment))
    subject.require(all(passes), "it gives no statistics")
    subject.require_statistics(passes, experiment.device)


def draws_from_the_generator_alone(subject: Subject, _folder: Path) -> None:
    """Where the networks draw nothing, no global random generator is used: all comes from the one that is given."""
    experiment = subject.experiment()
    before = randomness(experiment)
    _run(experiment)
    unchanged = randomness(experiment) == before
    subject.require(unchanged, "it draws from a global random generator: draw from the one that it is given")


class _Note:
    """Notes that a gradient came."""

    def __init__(self, subject: Subject, network: str, path: str, seen: set[str]) -> None:
        self.subject = subject
        self.where = f"'{path}' of the {network}"
        self.path = path
        self.seen = seen

    def __call__(self, gradient: Tensor) -> None:
        self.subject.require(torch.isfinite(gradient).all(), f"the gradient of {self.where} is not finite")
        self.seen.add(self.path)


def _copy(network: nn.Module) -> list[Tensor]:
    return [weight.detach().clone() for weight in network.parameters()]


def _run(experiment: Experiment) -> list[dict[str, Tensor]]:
    """Take some steps, and return their statistics."""
    random = random_on(experiment)
    batches = experiment.batches.epoch(0)
    return [dict(experiment.step(batch, random)) for batch, _ in zip(batches, range(_STEPS), strict=False)]
