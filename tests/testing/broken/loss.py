"""Losses that break their contract."""

import torch

from ganfw.testing import losses


class Wasserstein:
    def discriminator(self, real_logits, fake_logits):
        return fake_logits.mean() - real_logits.mean()

    def generator(self, fake_logits):
        return -fake_logits.mean()


class Overflowing(Wasserstein):
    def discriminator(self, real_logits, fake_logits):
        return fake_logits.square().exp().mean() - real_logits.mean()


class Summed(Wasserstein):
    def generator(self, fake_logits):
        return -fake_logits.sum()


class AgainstReals(Wasserstein):
    def discriminator(self, real_logits, fake_logits):
        return fake_logits.mean() + real_logits.mean()


class ForFakes(Wasserstein):
    def discriminator(self, real_logits, fake_logits):
        return -fake_logits.mean() - real_logits.mean()


class Indifferent(Wasserstein):
    def discriminator(self, real_logits, fake_logits):
        return 0 * fake_logits.mean() - 0 * real_logits.mean()


class GivingUp(Wasserstein):
    def generator(self, fake_logits):
        return fake_logits.mean()


class Detached(Wasserstein):
    def generator(self, fake_logits):
        return -fake_logits.detach().mean()


class HalfDetached(Wasserstein):
    def discriminator(self, real_logits, fake_logits):
        return fake_logits.mean() - 2 * real_logits.mean() + real_logits.mean().detach()


class Smoothing(Wasserstein):
    def generator(self, fake_logits):
        return -(fake_logits * torch.rand_like(fake_logits)).mean()


class Overwriting(Wasserstein):
    def generator(self, fake_logits):
        return -(fake_logits.data.mul_(2)).mean() if fake_logits.shape[0] == 6 else -fake_logits.mean()


BROKEN = (
    (losses.gives_finite_scalars, Overflowing, "the discriminator's loss of logits up to 20 must be finite"),
    (
        losses.is_a_mean,
        Summed,
        "the generator's loss of a batch that holds everything twice is ",
    ),
    (
        losses.gradients_have_the_right_signs,
        AgainstReals,
        "a higher logit of real samples raises the discriminator's loss: turn its sign",
    ),
    (
        losses.gradients_have_the_right_signs,
        ForFakes,
        "a higher logit of fakes lowers the discriminator's loss: turn its sign",
    ),
    (
        losses.gradients_have_the_right_signs,
        Indifferent,
        "the discriminator's loss does not change with logits near 0: it cannot learn",
    ),
    (
        losses.gradients_have_the_right_signs,
        GivingUp,
        "the generator's loss does not fall when fakes are judged more real: turn its sign",
    ),
    (
        losses.gradients_have_the_right_signs,
        Detached,
        "the generator's loss does not change with the logits of fakes: it cannot learn",
    ),
    (
        losses.gradients_are_right,
        HalfDetached,
        "the gradient of the discriminator's loss is not that of finite differences",
    ),
    (losses.draws_nothing, Smoothing, "it draws from a global random generator: a loss samples nothing"),
    (losses.draws_nothing, Overwriting, "it writes into the logits"),
)
