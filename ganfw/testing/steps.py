"""What steps must do."""

import torch

from ganfw.engine.updates import weights_of
from ganfw.testing.networks import require_gradients
from ganfw.testing.subject import Subject

_STEPS = 5


def trains_every_network(subject: Subject) -> None:
    """Every parameter of every network that an optimizer holds gets a finite gradient."""
    require_gradients(subject, subject.trained_networks())


def each_update_is_of_its_own_weights(subject: Subject) -> None:
    """If one optimizer does not step, the weights that only it holds stay, and those of the other optimizers move."""
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
                assert same, f"weights of the {name} change though its optimizer has a learning rate of 0"
            else:
                assert not same, (
                    f"weights of the {name} stand still where the {still}'s optimizer has a learning rate of 0"
                )


def gives_statistics(subject: Subject) -> None:
    """What losses return is finite; what is logged besides are finite scalars with the same names in every step."""
    every = max(update.every_steps for update in subject.experiment.updates)
    subject.require_statistics(subject.take_steps(_STEPS * every)[::every])


def draws_only_from_the_generator(subject: Subject) -> None:
    """Where the networks draw nothing, no global random generator is used: all comes from the one that is given."""
    with subject.draws_nothing("draw from the one that it is given"):
        subject.take_steps(_STEPS)


def gives_the_same_updates_every_time(subject: Subject) -> None:
    """Asked again, it returns the same losses in the same order, for each is compiled once."""
    step = subject.part
    first, second = ([(update.optimizer, update.loss) for update in step.updates()] for _ in range(2))
    assert first == second, "asked again, updates() returns other losses: make each a method of the step"
