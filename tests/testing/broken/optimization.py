"""Optimizers, schedules and averages that break their contract."""

import copy
import math

import torch

from ganfw.testing import averages, optimizers, schedules


def forgetful(parameters, /):
    return torch.optim.SGD(parameters[1:], lr=0.1)


def ascending(parameters, /):
    return torch.optim.SGD(parameters, lr=0.1, maximize=True)


class NoOptimizer:
    def __init__(self, parameters, /) -> None:
        self.param_groups = [{"params": list(parameters), "lr": 0.1}]

    def state_dict(self):
        return {}


BROKEN_OPTIMIZERS = (
    (optimizers.holds_the_parameters, forgetful, "it does not hold each parameter that it is given once"),
    (optimizers.holds_the_parameters, NoOptimizer, "it must be a torch.optim.Optimizer, not NoOptimizer"),
    (optimizers.descends, ascending, "20 steps down a square of 13.7143 end at 20156.9"),
)


class Dividing:
    def __call__(self, step, total_steps):
        return 1 - step / (total_steps - 1)


class Negative:
    def __call__(self, step, total_steps):
        return 1 - 2 * step / total_steps


class NotANumber:
    def __call__(self, step, total_steps):
        return math.nan


class Tensors:
    def __call__(self, step, total_steps):
        return torch.ones(())


class Zero:
    def __call__(self, step, total_steps):
        return 0.0


class Decaying:
    factor = 1.0

    def __call__(self, step, total_steps):
        self.factor *= 0.99
        return self.factor


BROKEN_SCHEDULES = (
    (schedules.gives_factors, Dividing, "in step 0 of 1 it fails: division by zero"),
    (schedules.gives_factors, Negative, "in step 6 of 10 it gives -0.19999999999999996"),
    (schedules.gives_factors, NotANumber, "in step 0 of 1 it gives nan"),
    (schedules.gives_factors, Tensors, "in step 0 of 1 it gives Tensor, not a float"),
    (schedules.gives_factors, Zero, "it is 0 all along: nothing would be learnt"),
    (
        schedules.depends_only_on_the_step,
        Decaying,
        "asked in another order it gives other factors: it must have no state",
    ),
)


class Mean:
    def __init__(self, networks, /) -> None:
        self.followed = networks["generator"]
        self.mean = copy.deepcopy(self.followed).eval().requires_grad_(False)
        self.updates = 0

    @property
    def networks(self):
        return {"generator": self.mean}

    @torch.no_grad()
    def update(self):
        self.updates += 1
        for mean, weight in self.pairs():
            mean.lerp_(weight, 1 / self.updates)

    def pairs(self):
        yield from zip(self.mean.parameters(), self.followed.parameters(), strict=True)
        for mean, buffer in zip(self.mean.buffers(), self.followed.buffers(), strict=True):
            if mean.is_floating_point():
                yield mean, buffer

    def state_dict(self):
        return {"network": self.mean.state_dict(), "updates": self.updates}

    def load_state_dict(self, state):
        self.mean.load_state_dict(state["network"])
        self.updates = state["updates"]


class OfAnother(Mean):
    @property
    def networks(self):
        return {"discriminator": self.mean}


class Copying(Mean):
    @property
    def networks(self):
        return {"generator": copy.deepcopy(self.mean)}


class Sharing(Mean):
    def __init__(self, networks, /) -> None:
        super().__init__(networks)
        self.mean = self.followed


class InTraining(Mean):
    def __init__(self, networks, /) -> None:
        super().__init__(networks)
        self.mean.train()


class WithoutBuffers(Mean):
    def pairs(self):
        return zip(self.mean.parameters(), self.followed.parameters(), strict=True)


class Pulling(Mean):
    @torch.no_grad()
    def update(self):
        for mean, weight in self.pairs():
            weight.lerp_(mean, 0.5)


class ForgettingItsAge(Mean):
    def state_dict(self):
        return {"network": self.mean.state_dict()}

    def load_state_dict(self, state):
        self.mean.load_state_dict(state["network"])


class Standing:
    def __init__(self, networks, /) -> None:
        self.networks = {name: copy.deepcopy(network).eval() for name, network in networks.items()}

    def update(self):
        pass


BROKEN_AVERAGES = (
    (averages.networks_are_its_own, OfAnother, "it has means of discriminator, not of generator"),
    (
        averages.networks_are_its_own,
        Sharing,
        "its generator shares weights with the one that it is a mean of: make a deep copy",
    ),
    (averages.networks_are_its_own, InTraining, "its generator is not in evaluation mode"),
    (averages.networks_are_its_own, Copying, "its generator is another object each time"),
    (
        averages.update_moves_the_mean,
        Standing,
        "after 200 updates '0.0.weight' of its generator is not nearer to that of the generator",
    ),
    (
        averages.update_moves_the_mean,
        WithoutBuffers,
        "after 200 updates '0.1.running_mean' of its generator is as it was",
    ),
    (averages.update_moves_the_mean, Pulling, "update changes the generator"),
    (averages.state_comes_back, Standing, "it has no state_dict: a resumed run would lose the mean"),
    (
        averages.state_comes_back,
        ForgettingItsAge,
        "after loading its state, '0.0.weight' of its generator goes another way",
    ),
)
