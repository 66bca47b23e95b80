"""Steps that break their contract."""

import torch

from ganfw.builtin.alternating import Alternating
from ganfw.testing import steps


class DiscriminatorAlone(Alternating):
    def __call__(self, batch, random):
        z = self.noise(len(batch.samples), random)
        return {"loss/discriminator": self._update_discriminator(batch, z, None, random)}


class WithoutOptimizer(Alternating):
    @torch.no_grad()
    def __call__(self, batch, random):
        with torch.enable_grad():
            statistics = super().__call__(batch, random)
        for weight in self.generator.parameters():
            weight.sub_(0.01)
        return statistics


class Attached(Alternating):
    def __call__(self, batch, random):
        return {**super().__call__(batch, random), "norm": next(self.generator.parameters()).norm()}


class Changing(Alternating):
    def __call__(self, batch, random):
        statistics = super().__call__(batch, random)
        return statistics if batch.step else {**statistics, "first": torch.ones(())}


class Silent(Alternating):
    def __call__(self, batch, random):
        super().__call__(batch, random)
        return {}


class Global(Alternating):
    def __call__(self, batch, random):
        torch.rand(1)
        return super().__call__(batch, random)


BROKEN = (
    (
        steps.trains_both_networks,
        DiscriminatorAlone,
        "in 5 steps no gradient reaches '0.0.weight' of the generator",
    ),
    (
        steps.each_update_is_of_its_own_network,
        WithoutOptimizer,
        "weights of the generator change though its optimizer has a learning rate of 0",
    ),
    (
        steps.each_update_is_of_its_own_network,
        DiscriminatorAlone,
        "weights of the generator stand still where the discriminator's optimizer has a learning rate of 0",
    ),
    (steps.gives_statistics, Attached, "the statistic 'norm' holds on to the graph: detach it"),
    (steps.gives_statistics, Changing, "its statistics have other names in another step"),
    (steps.gives_statistics, Silent, "it gives no statistics"),
    (
        steps.draws_from_the_generator_alone,
        Global,
        "it draws from a global random generator: draw from the one that it is given",
    ),
)
