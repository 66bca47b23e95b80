"""Every recipe of this package: what it is for cannot be seen in ten steps, but that it does all that a run must do."""

import inspect
from pathlib import Path

import pytest
import torch
from small_recipes import RECIPES, SMALL, small

import ganfw
from ganfw import Registry
from ganfw.testing import check_exact_resume


def test_all_recipes_of_the_package_are_tried(registry: Registry) -> None:
    plugin = next(plugin for plugin in registry.plugins if plugin.distribution == "ganfw-algorithms")
    assert [part.name for part in plugin.parts if part.kind == "recipe"] == list(RECIPES)
    assert set(SMALL) == set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_its_step_is_short(name: str, registry: Registry) -> None:
    step = ganfw.resolve(small(name, registry), registry).parts["step"].load()
    assert len(inspect.getsource(step).splitlines()) <= 80


@pytest.mark.parametrize("name", RECIPES)
def test_it_resumes_exactly(name: str, registry: Registry, tmp_path: Path) -> None:
    check_exact_resume(small(name, registry), registry, tmp_path, stop_at=2, steps=5)


@pytest.mark.parametrize("name", RECIPES)
def test_it_is_sampled_from_its_checkpoint_alone(name: str, registry: Registry, tmp_path: Path) -> None:
    experiment = ganfw.assemble(ganfw.resolve(small(name, registry), registry))
    directory = ganfw.create_run_directory(tmp_path, experiment)
    ganfw.train(experiment, directory=directory, steps=6)
    inputs = experiment.batches.first(4)

    checkpoint = ganfw.open_checkpoint(directory)
    samples = checkpoint.source(registry, "cpu").sample(4, inputs=inputs)

    assert torch.equal(samples, experiment.source.sample(4, inputs=inputs))
    assert samples.shape == (4, *experiment.batches.sample_shape)


@pytest.mark.skipif(
    not torch.cpu.get_capabilities().get("avx512_bf16"), reason="this processor has no bfloat16 arithmetic"
)
@pytest.mark.parametrize("name", RECIPES)
def test_it_trains_in_bf16(name: str, registry: Registry) -> None:
    weights = {}
    for precision in ("fp32", "bf16"):
        recipe = small(name, registry, f'run.precision="{precision}"')
        training = ganfw.train(ganfw.assemble(ganfw.resolve(recipe, registry)), steps=3)
        networks = training.experiment.networks.values()
        weights[precision] = torch.cat([weight.detach().flatten() for each in networks for weight in each.parameters()])
    plain, mixed = weights.values()
    assert not torch.equal(plain, mixed)
    assert (plain - mixed).norm() / plain.norm() < 0.05
