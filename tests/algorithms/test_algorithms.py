"""Algorithms that are not the classic GAN: each is a plain recipe, and the engine does for it what it does for any."""

import contextlib
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import ganfw
from ganfw import Recipe, Registry
from ganfw.testing import check_exact_resume

HERE = Path(__file__).parent
NAMES = ("bigan", "cyclegan", "infogan", "patch", "acgan")
SMALL = {
    "bigan": ["generator.hidden_dim=4"],
    "cyclegan": [],
    "infogan": ["generator.hidden_dim=4", "discriminator.hidden_dim=4"],
    "patch": ["generator.hidden_dim=4"],
    "acgan": ["generator.hidden_dim=4"],
}
RATE = ["optimizer.generator.lr=0.01", "optimizer.discriminator.lr=0.01"]
SGD = {
    name: [
        f"optimizer.{each}.use=sgd" for each in ("generator", "discriminator", "information")[: 2 + (name == "infogan")]
    ]
    for name in NAMES
}
"""Adam makes much of the last digit of a gradient that is 0, as that of a bias before BatchNorm."""


@pytest.fixture(scope="module")
def zoo() -> Registry:
    """Return the registry with the parts of the algorithms."""
    return ganfw.discover(allowed=(), scripts=[HERE / "parts.py"])


def recipe_of(name: str, registry: Registry, *overrides: str) -> Recipe:
    mnist = [] if name == "cyclegan" else ["data.split=test"]
    recipe = Recipe.load(HERE / f"{name}.toml", registry)
    small = [*SMALL[name], *mnist, "run.batch_size=32", "run.max_steps=6", "run.epochs=2"]
    return recipe.with_overrides([*small, *overrides, *RATE])


def train(name: str, registry: Registry, *overrides: str) -> ganfw.Training:
    quiet = [f"callbacks.{each}.enabled=false" for each in ("metrics", "checkpoint", "progress")]
    if name != "cyclegan":
        quiet.append("callbacks.samples.enabled=false")
    recipe = recipe_of(name, registry, *quiet, *overrides)
    return ganfw.train(ganfw.assemble(ganfw.resolve(recipe, registry)))


def weights_of(training: ganfw.Training) -> Tensor:
    networks = training.experiment.networks.values()
    return torch.cat([value.detach().flatten() for network in networks for value in network.parameters()])


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_short_and_so_is_its_step(name: str, zoo: Registry) -> None:
    text = (HERE / f"{name}.toml").read_text()
    lines = [line for line in text.splitlines() if line]
    step = ganfw.resolve(recipe_of(name, zoo), zoo).parts["step"].load()

    assert len(lines) < 25
    assert len(inspect.getsource(step).splitlines()) < 60 or step.__module__.startswith("ganfw.")


@pytest.mark.parametrize("name", NAMES)
def test_every_network_learns(name: str, zoo: Registry) -> None:
    start = ganfw.assemble(ganfw.resolve(recipe_of(name, zoo), zoo)).networks
    trained = train(name, zoo).experiment.networks

    assert start.keys() == trained.keys()
    for network in start:
        before, after = list(start[network].parameters()), list(trained[network].parameters())
        assert not any(map(torch.equal, before, after)), network


@pytest.mark.parametrize("name", NAMES)
def test_it_resumes_exactly(name: str, zoo: Registry, tmp_path: Path) -> None:
    check_exact_resume(recipe_of(name, zoo), zoo, tmp_path, stop_at=2, steps=5)


@pytest.mark.parametrize("name", NAMES)
def test_samples_come_from_the_checkpoint(device: torch.device, name: str, zoo: Registry, tmp_path: Path) -> None:
    experiment = ganfw.assemble(ganfw.resolve(recipe_of(name, zoo), zoo))
    directory = ganfw.create_run_directory(tmp_path, experiment)
    ganfw.train(experiment, directory=directory)
    inputs = experiment.batches.first(4)

    source = ganfw.open_checkpoint(directory).source(zoo, device)

    assert torch.equal(source.sample(4, inputs=inputs), experiment.source.sample(4, inputs=inputs))


@pytest.mark.bf16
@pytest.mark.parametrize("name", NAMES)
def test_all_networks_compute_in_bf16(name: str, zoo: Registry) -> None:
    recipe = recipe_of(name, zoo, 'run.precision="bf16"')
    experiment = ganfw.assemble(ganfw.resolve(recipe, zoo))
    seen: dict[str, set[torch.dtype]] = {network: set() for network in experiment.networks}
    with contextlib.ExitStack() as stack:
        for network, module in experiment.networks.items():
            for layer in module.modules():
                if isinstance(layer, torch.nn.Linear | torch.nn.Conv2d):
                    hook = lambda _layer, _inputs, output, into=seen[network]: into.add(output.dtype)  # noqa: E731
                    stack.callback(layer.register_forward_hook(hook).remove)
        training = ganfw.Training(experiment)
        with training.engine() as updater:
            batch = next(experiment.batches.epoch(0))
            updater.run(experiment.step, experiment.updates, batch, torch.Generator().manual_seed(0))

    assert seen == {network: {torch.bfloat16} for network in experiment.networks}
    plain, mixed = (weights_of(train(name, zoo, f'run.precision="{each}"')) for each in ("fp32", "bf16"))
    assert (plain - mixed).norm() / plain.norm() < 0.05


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", NAMES)
def test_it_is_compiled_whole_and_gives_the_same(name: str, zoo: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    plain = train(name, zoo, *SGD[name])
    compiled = train(name, zoo, *SGD[name], "run.compile=true")

    assert "not compiled" not in capsys.readouterr().err
    for statistic, value in plain.means.items():
        assert compiled.means[statistic] == pytest.approx(value, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_two_processes_train_as_one_does(name: str, zoo: Registry, tmp_path: Path) -> None:
    script = HERE / "parts.py"
    recipe = tmp_path / "recipe.toml"
    quiet = [] if name == "cyclegan" else ["callbacks.samples.enabled=false"]
    recipe.write_text(recipe_of(name, zoo, *quiet, *SGD[name], "run.device=cpu").to_toml())
    command = ["ganfw", "run", str(recipe), "--plugin", str(script), "--out"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python"]
    for how, runs in (([], "one"), (launch, "two")):
        subprocess.run([*how, *command, str(tmp_path / runs)], env=environment, check=True, capture_output=True)

    one, two = (tmp_path / runs / "recipe-1" / "checkpoints" / "step-000006" for runs in ("one", "two"))
    names = [path.name for path in one.glob("*.safetensors") if "optimizer" not in path.name]
    states = json.loads((two / "state.json").read_text())
    assert states["training"]["processes"] == 2
    assert len([each for each in names if not each.startswith("training")]) >= 2
    for each in names:
        if each.startswith("training"):
            continue
        left, right = load_file(one / each), load_file(two / each)
        for key in left:
            torch.testing.assert_close(left[key], right[key], rtol=0, atol=1e-4, msg=f"{each}: {key}")
