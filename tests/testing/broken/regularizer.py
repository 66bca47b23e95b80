"""Regularizers that break their contract."""

import torch
from torch import nn

from ganfw.testing import regularizers


class Drift:
    def discriminator(self, judgement):
        return judgement.real_logits.square().mean()


class Idle:
    pass


class NowAndThen(Drift):
    every_steps = 1.5


class Dividing:
    def discriminator(self, judgement):
        return judgement.fake_logits.sum() / (len(judgement.fake) - 6)


class Constant:
    def discriminator(self, judgement):
        return judgement.real.mean()


class OfTheOtherNetwork:
    def generator(self, judgement):
        return judgement.judge(judgement.real).square().mean()


class Flat:
    def discriminator(self, judgement):
        return 0 * judgement.real_logits.mean()


class Global:
    def discriminator(self, judgement):
        return (judgement.real_logits * torch.rand_like(judgement.real_logits)).mean()


class Counting:
    asked = 0

    def discriminator(self, judgement):
        self.asked += 1
        return self.asked * judgement.real_logits.mean()


class LeavingGradients:
    def discriminator(self, judgement):
        term = judgement.judge(judgement.real).square().mean()
        if judgement.discriminator.training:
            term.backward(retain_graph=True)
        return term


class ChangingWeights(Drift):
    def discriminator(self, judgement):
        with torch.no_grad():
            for weight in judgement.discriminator.parameters():
                weight.copy_(weight + 1)
        return super().discriminator(judgement)


class Freezing(Drift):
    def discriminator(self, judgement):
        term = super().discriminator(judgement)
        judgement.generator.requires_grad_(False)
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
        regularizers.draws_from_the_judgement_alone,
        Global,
        "it draws from a global random generator: draw from judgement.draws",
    ),
    (
        regularizers.draws_from_the_judgement_alone,
        Counting,
        "with the same draws its term for the discriminator differs",
    ),
    (
        regularizers.leaves_the_networks_alone,
        LeavingGradients,
        "computing its term leaves gradients behind: use torch.autograd.grad",
    ),
    (regularizers.leaves_the_networks_alone, ChangingWeights, "computing its term changes weights"),
    (
        regularizers.leaves_the_networks_alone,
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
