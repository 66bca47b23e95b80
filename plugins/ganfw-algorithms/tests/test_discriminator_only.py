"""Training of the discriminator only: its loss written out, and a generator that stays as it was."""

from pathlib import Path

import pytest
import torch
from small_recipes import calibrating
from torch import nn
from torch.nn.functional import softplus

import ganfw
from ganfw import Batch, Registry
from ganfw.testing import small_recipe
from ganfw_algorithms.discriminator_only import DiscriminatorOnly


def test_only_the_discriminator_learns_and_by_its_loss(registry: Registry) -> None:
    generator, discriminator = nn.Linear(2, 3), nn.Linear(3, 1)
    z, batch, random = torch.randn(4, 2), Batch(torch.rand(4, 3)), torch.Generator()
    loss = registry.load("loss", "ganfw:logistic")()
    (update,) = DiscriminatorOnly(generator, discriminator, loss, lambda *_: z).updates()
    assert update.draw is not None

    found, _ = update.loss(batch, batch.row_random(random), *update.draw(batch, random))

    real, fake = discriminator(batch.samples), discriminator(generator(z).detach())
    assert update.optimizer == "discriminator"
    assert found.item() == pytest.approx((softplus(-real).mean() + softplus(fake).mean()).item())
    assert torch.autograd.grad(found, generator.weight, allow_unused=True) == (None,)


def test_a_frozen_generator_of_another_run_stays_as_it_was(registry: Registry, tmp_path: Path) -> None:
    first = ganfw.assemble(ganfw.resolve(small_recipe(registry), registry))
    directory = ganfw.create_run_directory(tmp_path, first)
    ganfw.train(first, directory=directory, steps=6)
    before = {name: each.clone() for name, each in first.networks["generator"].state_dict().items()}

    recipe = calibrating(registry, f"generator.init={directory}")
    second = ganfw.assemble(ganfw.resolve(recipe, registry))
    judge = [each.clone() for each in second.networks["discriminator"].parameters()]
    ganfw.train(second, steps=3)

    for name, each in second.networks["generator"].state_dict().items():
        assert torch.equal(each, before[name]), name
    assert not torch.equal(judge[0], next(second.networks["discriminator"].parameters()))


@pytest.mark.slow
def test_it_trains_compiled(registry: Registry) -> None:
    weights = []
    for compiled in ("true", "false"):
        recipe = calibrating(registry, f"run.compile={compiled}")
        training = ganfw.train(ganfw.assemble(ganfw.resolve(recipe, registry)), steps=3)
        learnt = training.experiment.networks["discriminator"].parameters()
        weights.append(torch.cat([each.detach().flatten() for each in learnt]))
    torch.testing.assert_close(*weights, rtol=1e-4, atol=1e-6)
