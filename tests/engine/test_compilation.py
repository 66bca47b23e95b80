import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from attrs import evolve
from torch import Tensor, nn

import ganfw
from ganfw import Recipe, Registry
from ganfw.distributed.process_group import ProcessGroup
from ganfw.engine.compilation import compile_blocker, compiling
from ganfw.engine.precision import computing_in
from ganfw.testing import check_exact_resume

CPU = torch.device("cpu")
STEPS = 4


def needs_compiler(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that compiles: it takes a while, and torch.compile warns of its own code."""
    test = pytest.mark.filterwarnings("default")(test)
    test = pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")(test)
    return pytest.mark.slow(test)


def without_a_compiler(script: str, cache: Path) -> str:
    """Run a script where there is no C++ compiler; return what it prints."""
    environment = {**os.environ, "CXX": "/nonexistent", "TORCHINDUCTOR_CACHE_DIR": str(cache)}
    command = [sys.executable, "-c", script]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_a_missing_compiler_is_told_in_one_line(tmp_path: Path) -> None:
    script = """
import torch
from ganfw.engine.compilation import compile_blocker
from ganfw.distributed.process_group import ProcessGroup

print(compile_blocker(torch.device("cpu"), ProcessGroup()))
"""
    told = without_a_compiler(script, tmp_path)

    assert "compiler" in told
    assert told.count("\n") == 1


@pytest.mark.slow
def test_a_loss_that_the_compiler_fails_on_stays_as_written(tmp_path: Path) -> None:
    script = """
import torch
import ganfw
from ganfw.engine.compilation import compiling

weight = torch.nn.Parameter(torch.ones(()))
optimizer = torch.optim.SGD([weight], lr=0.25)


def quadratic_loss(x):
    return (weight * x).square().mean()


with compiling(torch.device("cpu"), 2, print):
    for _ in range(3):
        print(ganfw.update(optimizer, quadratic_loss, (torch.ones(2),)).item())
"""
    told, *losses = without_a_compiler(script, tmp_path).splitlines()

    assert told.startswith("run.compile: not compiled: quadratic loss: ")
    assert [float(value) for value in losses] == [1, 0.25, 0.0625]


def update_often(
    network: nn.Module, sizes: list[int], said: list[str] | None, precision: str = "fp32", why_not: str = ""
) -> tuple[list[bool], list[Tensor]]:
    """Update on batches of some sizes, compiled if there is a list for what is said.

    Return whether each was compiled, and the changes of all weights.
    """
    before = [weight.detach().clone() for weight in network.parameters()]
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    x = torch.rand(max(sizes), 6, generator=torch.Generator().manual_seed(0))
    now = SimpleNamespace()
    compiled = []

    def loss_of(rows: Tensor) -> Tensor:
        now.compiled = torch.compiler.is_compiling()
        return network(rows).square().mean()

    def train() -> None:
        with computing_in(precision, network, compiled=said is not None):
            for size in sizes:
                ganfw.update(optimizer, loss_of, (x[:size],), compile_blocker=why_not)
                compiled.append(now.compiled)

    if said is None:
        train()
    else:
        with compiling(CPU, 8, said.append):
            train()
    return compiled, [weight.detach() - old for weight, old in zip(network.parameters(), before, strict=True)]


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 1))


@needs_compiler
def test_full_batches_are_compiled_and_short_ones_not_and_give_the_same() -> None:
    sizes = [8, 8, 5, 8, 5]
    as_written, plain = update_often(network(), sizes, None)
    said: list[str] = []

    compiled, changes = update_often(network(), sizes, said)

    assert not any(as_written)
    assert compiled == [True, True, False, True, False]
    assert not said
    torch.testing.assert_close(changes, plain, rtol=0, atol=1e-6)


@needs_compiler
def test_running_statistics_are_those_of_the_plain_passes() -> None:
    networks = network(), network()
    for each, said in zip(networks, (None, []), strict=True):
        update_often(each, [8] * STEPS, said)

    for plain, compiled in zip(*(each.buffers() for each in networks), strict=True):
        torch.testing.assert_close(compiled, plain, rtol=0, atol=1e-6)


@needs_compiler
def test_an_update_in_bf16_is_that_in_float32_within_a_twentieth() -> None:
    _, exact = update_often(network(), [8] * STEPS, None)
    compiled, mixed = update_often(network(), [8] * STEPS, [], "bf16")

    assert all(compiled)
    difference = torch.cat([(a - b).flatten() for a, b in zip(exact, mixed, strict=True)])
    assert 1e-4 < difference.norm() / torch.cat([change.flatten() for change in exact]).norm() < 0.05


@needs_compiler
def test_gradients_lie_as_their_weights_do_each_by_itself() -> None:
    torch.manual_seed(0)
    weights = {name: nn.Parameter(torch.rand(3, 4)) for name in ("added", "also_added", "transposed", "unused")}
    x = torch.rand(4, 3)

    def loss_of(x: Tensor) -> Tensor:
        return (weights["added"] + weights["also_added"]).sum() + (x * weights["transposed"].t()).sum()

    gradients = {}
    for said in (None, []):
        with contextlib.nullcontext() if said is None else compiling(CPU, len(x), said.append):
            ganfw.update(torch.optim.SGD(weights.values(), lr=0.0), loss_of, (x,))
        assert weights["unused"].grad is None
        gradients[said is None] = [weights[name].grad for name in ("added", "also_added", "transposed")]

    assert not said
    for plain, compiled in zip(*gradients.values(), strict=True):
        assert torch.equal(plain, compiled)
        assert compiled.stride() == plain.stride()
    assert len({gradient.untyped_storage().data_ptr() for gradient in (*gradients[False], x)}) == 4


def test_what_cannot_be_compiled_is_told_once() -> None:
    said: list[str] = []

    compiled, changes = update_often(network(), [8] * STEPS, said, why_not="it is too odd")

    assert said == ["run.compile: not compiled: loss of: it is too odd"]
    assert not any(compiled)
    torch.testing.assert_close(changes, update_often(network(), [8] * STEPS, None)[1], rtol=0, atol=0)


class Watched(nn.Module):
    """A generator that notes whether its last pass with gradients was compiled, and its last one without."""

    with_gradients = without = False

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, z: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            self.with_gradients = torch.compiler.is_compiling()
        else:
            self.without = torch.compiler.is_compiling()
        return self.network(z)


def train_watching(
    registry: Registry, recipe: Recipe, *overrides: str
) -> tuple[list[tuple[bool, bool]], dict[str, float]]:
    """Train without the recipe's callbacks; return of each step which losses were compiled, and the means.

    The first of the losses is the discriminator's.
    """
    callbacks = ("samples", "checkpoint", "metrics")
    recipe = recipe.with_overrides([*(f"callbacks.{name}.enabled=false" for name in callbacks), *overrides])
    experiment = ganfw.assemble(ganfw.resolve(recipe, registry))
    watched = experiment.step.generator = Watched(experiment.generator)
    compiled = []

    class Note(ganfw.Callback):
        def on_step(self, training: ganfw.Training) -> None:
            compiled.append((watched.without, watched.with_gradients))

    training = ganfw.train(evolve(experiment, callbacks={**experiment.callbacks, "note": Note()}))
    return compiled, training.means


@pytest.mark.parametrize("loss", ["bce", "relativistic", "wasserstein"])
@needs_compiler
def test_training_compiled_gives_the_same(registry: Registry, tiny: Recipe, loss: str) -> None:
    tiny = Recipe(extends=tiny, loss={"use": loss})
    as_written, plain = train_watching(registry, tiny)

    compiled, means = train_watching(registry, tiny, "run.compile=true")

    assert set(as_written) == {(False, False)}
    assert compiled == [(True, True)] * len(as_written)
    assert means == pytest.approx(plain, abs=1e-5)  # Adam makes much of a last digit


@needs_compiler
def test_a_loss_with_regularizers_is_left_as_it_is_and_the_other_compiled(
    registry: Registry, tiny: Recipe, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = Recipe(extends=tiny, regularizers={"penalty": {"use": "r1"}})
    _, plain = train_watching(registry, tiny)

    compiled, means = train_watching(registry, tiny, "run.compile=true")

    assert set(compiled) == {(False, True)}
    assert means == pytest.approx(plain, abs=1e-5)  # Adam makes much of a last digit
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("run.compile")]
    assert told == ["run.compile: not compiled: discriminator loss: it has regularizers: penalty"]


@needs_compiler
def test_a_resume_goes_on_bit_for_bit(registry: Registry, tiny: Recipe, tmp_path: Path) -> None:
    recipe = tiny.with_overrides(["run.compile=true", "data.split=test", "run.batch_size=3000"])  # the fourth is short

    check_exact_resume(recipe, registry, tmp_path)


def test_without_a_compiler_training_says_so_and_goes_on(
    registry: Registry, tiny: Recipe, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ganfw.training.loop.compile_blocker", lambda device, processes: "no compiler found")

    compiled, means = train_watching(registry, tiny, "run.compile=true")

    assert set(compiled) == {(False, False)}
    assert set(means) == {"loss/discriminator", "loss/generator"}
    assert "run.compile: not compiled: no compiler found\n" in capsys.readouterr().err


def test_several_processes_do_not_compile() -> None:
    assert compile_blocker(CPU, ProcessGroup(size=2)) == "there are several processes"
