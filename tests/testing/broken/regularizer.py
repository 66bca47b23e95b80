"""Regularizers that break their contract."""

import os

import torch
from torch import nn

from ganfw.testing import regularizers


class Drift:
    def discriminator(self, context):
        return context.real_logits.square().mean()


class Idle:
    pass


class NowAndThen(Drift):
    every_steps = 1.5


class Dividing:
    def discriminator(self, context):
        return context.fake_logits.sum() / (len(context.fake) - 6)


class Constant:
    def discriminator(self, context):
        return context.real.mean()


class OfTheOtherNetwork:
    def generator(self, context):
        return context.discriminate(context.real).square().mean()


class Flat:
    def discriminator(self, context):
        return 0 * context.real_logits.mean()


class Global:
    def discriminator(self, context):
        return (context.real_logits * torch.rand_like(context.real_logits)).mean()


class ByChance:
    def discriminator(self, context):
        return (1 + int.from_bytes(os.urandom(4), "big")) * context.real_logits.mean()


class LeavingGradients:
    def discriminator(self, context):
        term = context.discriminate(context.real).square().mean()
        if context.networks["discriminator"].training:
            term.backward(retain_graph=True)
        return term


class ChangingWeights(Drift):
    def discriminator(self, context):
        with torch.no_grad():
            for weight in context.networks["discriminator"].parameters():
                weight.copy_(weight + 1)
        return super().discriminator(context)


class Freezing(Drift):
    def discriminator(self, context):
        term = super().discriminator(context)
        context.networks["generator"].requires_grad_(False)
        return term


class Replacing:
    def constrain(self, discriminator):
        for module in discriminator.modules():
            if isinstance(module, nn.Linear):
                module.weight = nn.Parameter(module.weight.clamp(-1, 1))


class Exploding:
    def constrain(self, discriminator):
        for weight in discriminator.parameters():
            weight.div_(0)


class Reshaping:
    def constrain(self, discriminator):
        for weight in discriminator.parameters():
            weight.data = weight.data.flatten()


class NeverLimiting:
    def constrain(self, discriminator):
        for weight in discriminator.parameters():
            weight.clamp_(-1e6, 1e6)


BROKEN = (
    (regularizers.does_something, Idle, "it has none of the methods discriminator, generator and constrain"),
    (regularizers.does_something, NowAndThen, "every_steps must be a whole number >= 1, not 1.5"),
    (regularizers.gives_finite_scalars, Dividing, "its term for the discriminator must be finite"),
    (
        regularizers.gradients_reach_the_network,
        Constant,
        "no gradient of its term for the discriminator reaches the discriminator",
    ),
    (
        regularizers.gradients_reach_the_network,
        OfTheOtherNetwork,
        "no gradient of its term for the generator reaches the generator",
    ),
    (
        regularizers.gradients_reach_the_network,
        Flat,
        "the gradient of its term for the discriminator is 0 everywhere",
    ),
    (
        regularizers.draws_only_from_the_context,
        Global,
        "it draws from a global random generator: draw from context.random",
    ),
    (
        regularizers.draws_only_from_the_context,
        ByChance,
        "with the same random numbers its term for the discriminator differs",
    ),
    (
        regularizers.does_not_change_the_networks,
        LeavingGradients,
        "computing its term leaves gradients behind: use torch.autograd.grad",
    ),
    (regularizers.does_not_change_the_networks, ChangingWeights, "computing its term changes weights"),
    (
        regularizers.does_not_change_the_networks,
        Freezing,
        "computing its term leaves weights that need no gradient any more",
    ),
    (
        regularizers.constrains_within_reason,
        Replacing,
        "constrain replaces parameters, which their optimizer does not know: change them in place",
    ),
    (regularizers.constrains_within_reason, Exploding, "constrain leaves weights that are not finite"),
    (regularizers.constrains_within_reason, Reshaping, "constrain changes the shape of a parameter"),
    (
        regularizers.constrains_within_reason,
        NeverLimiting,
        "constrain leaves weights a hundred times as large as they are",
    ),
)
