"""Averaged weights: against the closed form, and where they are used."""

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from attrs import evolve
from click.testing import CliRunner
from torch import nn
from torch.nn.utils import parametrizations

import ganfw
from ganfw import Noise, Recipe, Registry
from ganfw.cli import main
from ganfw.testing import check_exact_resume

RECIPE = {"averaging": {"generator": {"use": "ema", "decay": 0.5}}, "optimizer": {"generator": {"lr": 0.01}}}


@pytest.fixture
def noise(registry: Registry) -> Noise:
    """Return noise of two coordinates."""
    return registry.load("noise", "normal")("cpu", z_dim=2)


def test_weights_follow_the_closed_form(registry: Registry, noise: Noise) -> None:
    weights = [3.0, -1.0, 2.0, 7.0, 0.5]
    generator = nn.Linear(1, 1, bias=False)
    nn.init.constant_(generator.weight, 10.0)
    average = registry.load("averaging", "ema")({"generator": generator}, noise, decay=0.2)
    decays = [min(0.2, t / (t + 9)) for t in range(1, 6)]
    for weight in weights:
        nn.init.constant_(generator.weight, weight)
        average.update()

    expected = 10.0
    for decay, weight in zip(decays, weights, strict=True):
        expected = decay * expected + (1 - decay) * weight
    assert decays[:2] == [0.1, 2 / 11]  # below 0.2: the start is soon forgotten
    assert average.networks["generator"].weight.item() == pytest.approx(expected, rel=1e-6)
    assert generator.weight.item() == 0.5


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("normed", [nn.utils.weight_norm, nn.utils.spectral_norm, parametrizations.weight_norm])
def test_weights_that_are_worked_out_are_averaged_too(registry: Registry, noise: Noise, normed: Any) -> None:
    generator = nn.Sequential(normed(nn.Linear(2, 3)))
    generator(torch.rand(4, 2)).sum().backward()
    average = registry.load("averaging", "ema")({"generator": generator}, noise, decay=0.5)
    average.update()

    assert torch.equal(average.networks["generator"](torch.ones(1, 2)), generator.eval()(torch.ones(1, 2)))
    assert not {id(each) for each in generator.parameters()} & {
        id(each) for each in average.networks["generator"].parameters()
    }


def test_spectral_norms_are_those_of_the_mean_weights(registry: Registry, noise: Noise) -> None:
    torch.manual_seed(0)
    critic = nn.Sequential(parametrizations.spectral_norm(nn.Linear(16, 16)))
    average = registry.load("averaging", "ema")({"critic": critic}, noise, decay=0.9)
    for _ in range(20):
        critic(torch.rand(4, 16))
        with torch.no_grad():
            critic[0].parametrizations.weight.original.add_(0.1 * torch.randn(16, 16))
        average.update()

    state = copy.deepcopy(average.state_dict())
    (largest, *_) = torch.linalg.svdvals(average.networks["critic"][0].weight)
    assert float(largest) == pytest.approx(1, abs=2e-3)
    average.update()
    average.load_state_dict(state)
    assert torch.equal(torch.linalg.svdvals(average.networks["critic"][0].weight)[0], largest)


def test_weights_count_as_a_power_of_the_update_until_decay_is_the_limit(registry: Registry, noise: Noise) -> None:
    generator = nn.Linear(1, 1, bias=False)
    nn.init.constant_(generator.weight, 10.0)
    average = registry.load("averaging", "ema")({"generator": generator}, noise, decay=0.9999, power=1.0)
    weights = [3.0, -1.0, 2.0, 7.0, 0.5]
    for weight in weights:
        nn.init.constant_(generator.weight, weight)
        average.update()

    # The decays t / (t + 2) leave the weight of update t the share 2 (t + 1) / (6 · 7), the start that of t = 0.
    shares = [2 * (t + 1) / 42 for t in range(6)]
    assert sum(shares) == pytest.approx(1)
    expected = sum(share * weight for share, weight in zip(shares, [10.0, *weights], strict=True))
    assert average.networks["generator"].weight.item() == pytest.approx(expected, rel=1e-6)


def test_statistics_of_batch_norm_are_those_of_the_mean(registry: Registry, noise: Noise) -> None:
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 4), nn.BatchNorm1d(4))
    average = registry.load("averaging", "ema")({"generator": generator}, noise, decay=0.9)
    for t in range(40):
        with torch.no_grad():
            for weight in generator.parameters():
                weight.copy_(torch.randn_like(weight) + t % 2)  # a mean of these varies less than each of them
        generator(torch.randn(8, 2))
        average.update()
    y = average.networks["generator"](torch.randn(20_000, 2))

    layer = average.networks["generator"][4]
    normalised = (y - layer.bias) / layer.weight
    torch.testing.assert_close(normalised.mean(0), torch.zeros(4), atol=0.1, rtol=0)
    torch.testing.assert_close(normalised.std(0), torch.ones(4), atol=0.1, rtol=0)
    assert layer.momentum == 0.1
    assert not any(module.training for module in average.networks["generator"].modules())


def test_asking_for_the_network_draws_nothing_and_gives_the_same(registry: Registry, noise: Noise) -> None:
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout())
    averages = [registry.load("averaging", "ema")({"generator": generator}, noise) for _ in range(2)]
    before = torch.get_rng_state()
    for t in range(1, 4):
        nn.init.constant_(generator[0].weight, float(t))
        for average in averages:
            average.update()
        averages[0].state_dict()

    first, second = (average.networks["generator"].state_dict() for average in averages)
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    assert torch.equal(torch.get_rng_state(), before)


def test_a_conditional_generator_is_measured_over_all_classes(registry: Registry, noise: Noise) -> None:
    class Conditional(nn.Module):
        num_classes = 4

        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(2)

        def forward(self, z: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            return self.norm(0 * z + labels[:, None])

    average = registry.load("averaging", "ema")({"generator": Conditional()}, noise)
    average.update()

    assert average.networks["generator"].norm.running_mean.tolist() == pytest.approx([1.5, 1.5])
    assert average.networks["generator"].norm.running_var.tolist() == pytest.approx([1.25 * 128 / 127] * 2)


def test_no_more_rows_go_through_a_generator_than_are_asked_for(registry: Registry, noise: Noise) -> None:
    class Counting(nn.BatchNorm1d):
        def forward(self, z: torch.Tensor) -> torch.Tensor:
            rows.append(len(z))
            return super().forward(z)

    rows: list[int] = []
    average = registry.load("averaging", "ema")({"generator": Counting(2)}, noise, rows=16)
    average.update()

    assert average.networks
    assert rows == [16] * 128


def test_the_mean_is_in_evaluation_mode_and_takes_no_gradient(registry: Registry, noise: Noise) -> None:
    generator = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    average = registry.load("averaging", "ema")({"generator": generator}, noise)

    assert generator.training
    assert not any(module.training for module in average.networks["generator"].modules())
    assert not any(weight.requires_grad for weight in average.networks["generator"].parameters())
    assert all(weight.requires_grad for weight in generator.parameters())


def test_it_follows_every_step_of_the_optimizer_of_a_network_and_no_other(registry: Registry, tiny: Recipe) -> None:
    recipe = Recipe(extends=tiny, **RECIPE, step={"generator_steps": 3, "discriminator_steps": 2})
    experiment = ganfw.assemble(ganfw.resolve(recipe, registry))
    average = experiment.averaging["generator"]

    assert experiment.followers() == {"generator": [average.update]}
    ganfw.train(evolve(experiment, callbacks={}), steps=2)

    assert average.updates == 6


def test_several_networks_are_averaged_together(registry: Registry, noise: Noise) -> None:
    networks = {name: nn.Linear(1, 1, bias=False) for name in ("generator", "encoder")}
    average = registry.load("averaging", "ema")(networks, noise, decay=0.5)
    before = {name: network.weight.item() for name, network in networks.items()}
    for value, network in enumerate(networks.values(), 3):
        nn.init.constant_(network.weight, float(value))
    average.update()

    for value, name in enumerate(networks, 3):
        assert average.networks[name].weight.item() == pytest.approx(0.1 * before[name] + 0.9 * value, rel=1e-6)


def train(registry: Registry, recipe: Recipe, folder: Path) -> Path:
    experiment = ganfw.assemble(ganfw.resolve(recipe, registry))
    directory = ganfw.create_run_directory(folder, experiment)
    ganfw.train(experiment, directory=directory)
    return directory


def test_averaging_leaves_the_run_as_it_was_and_changes_what_is_sampled(
    registry: Registry, tiny: Recipe, tmp_path: Path
) -> None:
    lr = {"optimizer": RECIPE["optimizer"]}
    with_mean = ganfw.open_checkpoint(train(registry, Recipe(extends=tiny, name="with", **RECIPE), tmp_path))
    without = ganfw.open_checkpoint(train(registry, Recipe(extends=tiny, name="without", **lr), tmp_path))

    for name in ("generator", "discriminator", "optimizer.generator", "optimizer.discriminator"):
        file = f"{name}.safetensors"
        assert with_mean.manifest.files[file].sha256 == without.manifest.files[file].sha256, name
    assert (with_mean.path / "averaging.generator.safetensors").exists()
    grids = [run.path.parents[1] / "samples" / "step-000010.png" for run in (with_mean, without)]
    assert grids[0].read_bytes() != grids[1].read_bytes()


def test_samples_of_a_run_and_of_a_checkpoint_alone_are_those_of_the_mean(
    device: torch.device, registry: Registry, tiny: Recipe, tmp_path: Path
) -> None:
    run = train(registry, Recipe(extends=tiny, name="mean", **RECIPE), tmp_path)
    alone = tmp_path / "alone"
    shutil.copytree(ganfw.open_checkpoint(run).path, alone)
    grid = (run / "samples" / "step-000010.png").read_bytes()
    for source in (run, alone):
        picture = tmp_path / f"{source.name}.png"
        result = CliRunner().invoke(main, ["sample", str(source), "-o", str(picture)])
        assert result.exit_code == 0, result.output
        assert picture.read_bytes() == grid

    source = ganfw.open_checkpoint(alone).source(registry, device)
    generator = source.networks["generator"]
    state = ganfw.open_checkpoint(run).part_state("averaging.generator")["networks"]["generator"]
    saved = ganfw.open_checkpoint(run).part_state("generator")
    for name, value in generator.state_dict().items():
        assert torch.equal(value.cpu(), state[name])
    assert not torch.equal(saved["0.0.weight"], state["0.0.weight"])
    assert source.sample(2).shape == (2, 1, 28, 28)
    assert json.loads((run / "environment.json").read_text())["parts"]["averaging.generator"]["name"] == "ema"


def test_the_mean_resumes_exactly(registry: Registry, tiny: Recipe, tmp_path: Path) -> None:
    check_exact_resume(Recipe(extends=tiny, **RECIPE), registry, tmp_path)


def test_the_mean_starts_as_the_generator_and_is_what_samples_are_drawn_from(registry: Registry, tiny: Recipe) -> None:
    experiment = ganfw.assemble(ganfw.resolve(Recipe(extends=tiny, **RECIPE), registry))
    start = copy.deepcopy(experiment.networks["generator"].state_dict())

    mean = experiment.averaging["generator"].networks["generator"]
    assert experiment.source.networks["generator"] is mean
    for name, value in mean.state_dict().items():
        assert torch.equal(value, start[name])
