"""What steps must do."""

import torch

from ganfw.engine.updates import weights_of
from ganfw.testing.networks import require_gradients
from ganfw.testing.subject import Subject, copies_of

_STEPS = 5


def trains_every_network(subject: Subject) -> None:
    """Every parameter of every network that an optimizer holds gets a finite gradient, and the networks move."""
    networks = subject.trained_networks()
    before = {name: copies_of(network) for name, network in networks.items()}
    require_gradients(subject, networks)
    for name, network in networks.items():
        moved = not all(map(torch.equal, before[name], network.parameters()))
        subject.require(moved, f"in {_STEPS} steps no weight of the {name} moves")


def each_update_is_of_its_own_weights(subject: Subject) -> None:
    """Where an optimizer stands still so do the weights that it alone holds, and those of every other one move."""
    for still in subject.experiment.optimizers:
        each = subject.again()
        for group in each.experiment.optimizers[still].param_groups:
            group["lr"] = 0.0
        held = {name: weights_of(optimizer) for name, optimizer in each.experiment.optimizers.items()}
        shared = {id(weight) for name in held if name != still for weight in held[name]}
        held[still] = [weight for weight in held[still] if id(weight) not in shared]
        before = {name: [weight.detach().clone() for weight in weights] for name, weights in held.items()}
        each.take_steps(_STEPS)
        for name, weights in held.items():
            same = all(map(torch.equal, before[name], weights))
            if name == still:
                subject.require(same, f"weights of the {name} change though its optimizer has a learning rate of 0")
            else:
                complaint = f"weights of the {name} stand still where the {still}'s optimizer has a learning rate of 0"
                subject.require(not same, complaint)


def gives_statistics(subject: Subject) -> None:
    """What losses return is finite; what is logged besides are finite scalars with the same names in every step."""
    every = max(update.every_steps for update in subject.experiment.updates)
    subject.require_statistics(subject.take_steps(_STEPS * every)[::every])


def draws_from_the_generator_alone(subject: Subject) -> None:
    """Where the networks draw nothing, no global random generator is used: all comes from the one that is given."""
    before = subject.randomness()
    subject.take_steps(_STEPS)
    unchanged = subject.randomness() == before
    subject.require(unchanged, "it draws from a global random generator: draw from the one that it is given")


def gives_the_same_updates_every_time(subject: Subject) -> None:
    """Asked again, it returns the same losses in the same order, for each is compiled once."""
    step = subject.part
    first, second = ([(update.optimizer, update.loss) for update in step.updates()] for _ in range(2))
    subject.require(first == second, "asked again, updates() returns other losses: make each a method of the step")
