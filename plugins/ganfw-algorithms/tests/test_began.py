"""BEGAN: losses, k and the measure written out in float64, and k as state of a run."""

from pathlib import Path

import pytest
import torch
from small_recipes import small
from torch import Tensor, nn

import ganfw
from ganfw import Batch, RowRandom
from ganfw.testing import check_exact_resume
from ganfw_algorithms.began import BEGAN, Equilibrium

CPU = torch.device("cpu")


class Times(nn.Module):
    """Multiplies by a number that is learnt."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, samples: Tensor) -> Tensor:
        return self.factor * samples


class Energy(nn.Module):
    """Gives minus the mean absolute error of a reconstruction that is a multiple of the sample."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, samples: Tensor) -> dict[str, Tensor]:
        return {"logits": -(self.factor * samples - samples).abs().mean(1, keepdim=True)}


@pytest.mark.parametrize("gamma", [0.4, 0.9])
def test_losses_k_and_the_measure_are_those_of_the_paper(gamma: float) -> None:
    x, z = torch.linspace(0.2, 0.9, 12).reshape(4, 3), torch.linspace(0.1, 1.0, 12).reshape(4, 3)
    generator, discriminator = Times(0.7), Energy(0.2)
    step = BEGAN(generator, discriminator, None, CPU, gamma=gamma, k_rate=0.5)  # type: ignore[arg-type]
    batch, random = Batch(x), RowRandom(torch.Generator(), 4)
    k, mean_x, mean_z = 0.1, float(x.mean()), float(z.mean())
    step.load_state_dict({"k": torch.tensor(k)})

    # The energy of x is (1 - 0.2) mean(x), and that of a fake is 0.8 · 0.7 mean(z).
    real, fake = 0.8 * mean_x, 0.56 * mean_z
    loss, seen = step.discriminator_loss(batch, random, z, step.equilibrium.k)
    assert loss.item() == pytest.approx(real - k * fake)
    (gradient,) = torch.autograd.grad(loss, discriminator.factor)
    assert gradient.item() == pytest.approx(-mean_x + k * 0.7 * mean_z)
    assert step.equilibrium.see_real(seen)["began/k"].item() == pytest.approx(k)
    loss, seen = step.generator_loss(batch, random, z)
    assert loss.item() == pytest.approx(fake)
    (gradient,) = torch.autograd.grad(loss, generator.factor)
    assert gradient.item() == pytest.approx(0.8 * mean_z)
    statistics = step.equilibrium.see_fake(seen)
    assert statistics["began/measure"].item() == pytest.approx(real + abs(gamma * real - fake))
    assert statistics["began/ratio"].item() == pytest.approx(fake / real)
    step.equilibrium.move()
    assert step.equilibrium.k.item() == pytest.approx(k + 0.5 * (gamma * real - fake))


@pytest.mark.parametrize(("real", "fake", "expected"), [(4.0, 1.0, 1.0), (1.0, 4.0, 0.0), (1.0, 0.25, 0.75)])
def test_k_stays_between_zero_and_one(real: float, fake: float, expected: float) -> None:
    equilibrium = Equilibrium(0.5, 1.0, CPU)
    equilibrium.k = torch.tensor(0.5)
    equilibrium.see_real({"energies": torch.full((2,), real)})
    equilibrium.see_fake({"energies": torch.full((2,), fake)})
    equilibrium.move()
    assert equilibrium.k.item() == pytest.approx(expected)


def where_k_grows(registry: ganfw.Registry, *overrides: str) -> ganfw.Recipe:
    """Return a recipe whose first fakes are nearer to the origin than the data, and so of less energy."""
    without = ("loss.enabled=false", "regularizers.pulling_away.enabled=false", "generator.norm=none")
    recipe = small("grid_ebgan", registry, "step.use=began", *without)
    return recipe.with_overrides(["step.k_rate=0.02", "discriminator.error=absolute", *overrides])


def k_of(experiment: ganfw.Experiment) -> float:
    return float(experiment.stateful_parts()["step"].state_dict()["k"])


def test_k_does_not_depend_on_the_parts_that_a_batch_is_computed_in(registry: ganfw.Registry) -> None:
    found = []
    for parts in (1, 4):
        recipe = where_k_grows(registry, f"run.accumulate={parts}")
        experiment = ganfw.assemble(ganfw.resolve(recipe, registry))
        ganfw.train(experiment, steps=4)
        found.append(k_of(experiment))
    assert 0 < found[0] < 1
    assert found[1] == pytest.approx(found[0], rel=1e-4)


def test_k_is_saved_and_the_trial_before_training_leaves_no_trace(registry: ganfw.Registry, tmp_path: Path) -> None:
    recipe = where_k_grows(registry)
    assert k_of(ganfw.assemble(ganfw.resolve(recipe, registry))) == 0

    check_exact_resume(recipe, registry, tmp_path, stop_at=3, steps=6)

    (run,) = (tmp_path / "stopped").iterdir()
    assert 0 < ganfw.open_checkpoint(run).part_state("step")["k"] < 1


def test_k_brings_the_energy_of_fakes_to_gamma_times_that_of_real_samples(registry: ganfw.Registry) -> None:
    recipe = where_k_grows(registry, "step.gamma=0.6", "run.max_steps=600", "run.epochs=100", "run.batch_size=64")
    recipe = recipe.with_overrides(["step.k_rate=0.05", "callbacks.samples.enabled=false", "run.log_every_steps=300"])
    training = ganfw.train(ganfw.assemble(ganfw.resolve(recipe, registry)))
    assert training.means["began/ratio"] == pytest.approx(0.6, abs=0.1)
