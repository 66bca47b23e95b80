import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from attrs import evolve
from torch import Tensor, nn

import ganfw
from ganfw import Recipe, Registry
from ganfw.engine.compilation import as_written, compiled, is_compiled

CPU = torch.device("cpu")
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")


class Doubling(nn.Module):
    """Doubles, and counts how often Python runs its forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))
        self.runs = 0

    def forward(self, x: Tensor) -> Tensor:
        self.runs += 1
        return x * self.weight


@pytest.mark.slow
def test_a_missing_compiler_is_told_in_one_line(tmp_path: Path) -> None:
    script = """
import torch
from ganfw.engine.compilation import why_not_compile
from ganfw.world import World

print(why_not_compile(torch.device("cpu"), World()))
"""
    environment = {**os.environ, "CXX": "/nonexistent", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    result = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)

    assert "compiler" in result.stdout
    assert result.stdout.count("\n") == 1


class Note(ganfw.Callback):
    """Notes whether the generator was compiled while it trained."""

    was_compiled = False

    def on_step(self, training: ganfw.Training) -> None:
        self.was_compiled = is_compiled(training.experiment.generator)


def train_noting(registry: Registry, recipe: Recipe, *overrides: str) -> tuple[bool, dict[str, float]]:
    """Train without the recipe's callbacks; return whether it was compiled, and the losses."""
    callbacks = ("samples", "checkpoint", "metrics")
    recipe = recipe.with_overrides([*(f"callbacks.{name}.enabled=false" for name in callbacks), *overrides])
    experiment = ganfw.assemble(ganfw.resolve(recipe, registry))
    note = Note()
    experiment = evolve(experiment, callbacks={**experiment.callbacks, "note": note})
    training = ganfw.train(experiment)
    assert not is_compiled(experiment.generator)
    return note.was_compiled, training.means


@needs_compiler
@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # torch.compile warns of its own code
def test_training_compiled_gives_the_same(registry: Registry, tiny: Recipe) -> None:
    _, plain = train_noting(registry, tiny)

    was_compiled, means = train_noting(registry, tiny, "run.compile=true")

    assert was_compiled
    assert means == pytest.approx(plain, abs=1e-5)


def test_without_a_compiler_training_says_so_and_goes_on(
    registry: Registry, tiny: Recipe, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ganfw.loop.why_not_compile", lambda device, world: "no compiler found")

    was_compiled, means = train_noting(registry, tiny, "run.compile=true")

    assert not was_compiled
    assert set(means) == {"loss/discriminator", "loss/generator"}
    assert "run.compile: not compiled: no compiler found\n" in capsys.readouterr().err


def test_within_the_block_the_forward_pass_is_compiled_and_can_be_had_as_written() -> None:
    network = Doubling()
    with compiled(CPU, network):
        assert is_compiled(network)
        with as_written(network):
            assert not is_compiled(network)
            assert float(network(torch.tensor(3.0)).detach()) == 6
        assert is_compiled(network)
    assert not is_compiled(network)
    assert network.runs == 1
    with as_written(network):
        assert float(network(torch.tensor(3.0)).detach()) == 6


def test_a_forward_pass_of_the_networks_own_is_put_back() -> None:
    network = Doubling()
    own = lambda x: x + 1  # noqa: E731
    network.forward = own
    with pytest.raises(ZeroDivisionError), compiled(CPU, network):
        1 / 0  # noqa: B018
    assert network.forward is own
