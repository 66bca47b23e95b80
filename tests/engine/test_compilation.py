import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from attrs import evolve
from torch import Tensor, nn

import ganfw
from ganfw import Batch, Recipe, Registry, RowRandom, Training, Update
from ganfw.distributed.process_group import ProcessGroup
from ganfw.engine.compilation import Compiler, compile_blocker
from ganfw.engine.precision import Precision, computing_in
from ganfw.engine.updates import Updater
from ganfw.testing import check_exact_resume
from ganfw.training.loop import WORTH_COMPILING
from ganfw.training.trial import unchanged

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
def test_a_missing_compiler_is_reported_in_one_line(tmp_path: Path) -> None:
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
from ganfw import Batch, Update
from ganfw.engine.compilation import Compiler
from ganfw.engine.updates import Updater

weight = torch.nn.Parameter(torch.ones(()))
random = torch.Generator()


class Step:
    def updates(self):
        return [Update("weight", self._quadratic_loss)]

    def _quadratic_loss(self, batch, random):
        return (weight * batch.samples).square().mean() + 0 * random.uniform(1).sum()


compiler = Compiler(torch.device("cpu"), 2, print)
updater, step = Updater({"weight": torch.optim.SGD([weight], lr=0.25)}, compiler=compiler), Step()
with compiler.active():
    for _ in range(3):
        print(updater.run(step, step.updates(), Batch(torch.ones(2, 1)), random)["loss/weight"].item())
expected = torch.Generator()
for _ in range(3):
    torch.rand(2, 1, generator=expected)
print(torch.equal(random.get_state(), expected.get_state()))
"""
    told, *losses, drew_as_written = without_a_compiler(script, tmp_path).splitlines()

    assert told.startswith("run.compile: not compiled: quadratic loss: ")
    assert [float(value) for value in losses] == [1, 0.25, 0.0625]
    assert drew_as_written == "True"


class Squares:
    """A step with one update, of the mean square of what a network gives."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.is_compiled = False

    def updates(self) -> list[Update]:
        return [Update("network", self._square_loss)]

    def _square_loss(self, batch: Batch, random: RowRandom) -> Tensor:
        self.is_compiled = torch.compiler.is_compiling()
        return self.network(batch.samples).square().mean()


def update_often(
    device: torch.device, network: nn.Module, sizes: list[int], said: list[str] | None, precision: Precision = "fp32"
) -> tuple[list[bool], list[Tensor]]:
    """Update on batches of some sizes, compiled if there is a list for what is said.

    Return whether each was compiled, and the changes of all weights.
    """
    before = [weight.detach().clone() for weight in network.parameters()]
    x = torch.rand(max(sizes), 6, generator=torch.Generator().manual_seed(0))
    compiler = None if said is None else Compiler(device, 8, said.append, lambda: unchanged({"n": network}, device))
    step = Squares(network)
    updater = Updater({"network": torch.optim.SGD(network.parameters(), lr=0.1)}, compiler=compiler)
    compiled = []
    with computing_in(precision, device, network), compiler.active() if compiler else contextlib.nullcontext():
        for size in sizes:
            updater.run(step, step.updates(), Batch(x[:size]), torch.Generator())
            compiled.append(step.is_compiled)
    return compiled, [weight.detach() - old for weight, old in zip(network.parameters(), before, strict=True)]


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 1))


@needs_compiler
def test_full_batches_are_compiled_and_short_ones_not_and_give_the_same(device: torch.device) -> None:
    sizes = [8, 8, 5, 8, 5]
    as_written, plain = update_often(device, network(), sizes, None)
    said: list[str] = []

    compiled, changes = update_often(device, network(), sizes, said)

    assert not any(as_written)
    assert compiled == [True, True, False, True, False]
    assert not said
    torch.testing.assert_close(changes, plain, rtol=0, atol=1e-6)


@needs_compiler
def test_running_statistics_are_those_of_the_plain_passes(device: torch.device) -> None:
    networks = network(), network()
    for each, said in zip(networks, (None, []), strict=True):
        update_often(device, each, [8] * STEPS, said)

    for plain, compiled in zip(*(each.buffers() for each in networks), strict=True):
        torch.testing.assert_close(compiled, plain, rtol=0, atol=1e-6)


@needs_compiler
def test_an_update_in_bf16_is_that_in_float32_within_a_twentieth(device: torch.device) -> None:
    _, exact = update_often(device, network(), [8] * STEPS, None)
    compiled, mixed = update_often(device, network(), [8] * STEPS, [], "bf16")

    assert all(compiled)
    difference = torch.cat([(a - b).flatten() for a, b in zip(exact, mixed, strict=True)])
    assert 1e-4 < difference.norm() / torch.cat([change.flatten() for change in exact]).norm() < 0.05


@needs_compiler
def test_gradients_lie_as_their_weights_do_each_by_itself(device: torch.device) -> None:
    torch.manual_seed(0)
    weights = {name: nn.Parameter(torch.rand(3, 4)) for name in ("added", "also_added", "transposed", "unused")}
    x = torch.rand(4, 3)

    def loss_of(batch: Batch, random: RowRandom) -> Tensor:
        return (weights["added"] + weights["also_added"]).sum() + (batch.samples * weights["transposed"].t()).sum()

    gradients = {}
    said: list[str] = []
    for compiler in (None, Compiler(device, len(x), said.append)):
        updater = Updater({"all": torch.optim.SGD(weights.values(), lr=0.0)}, compiler=compiler)
        with compiler.active() if compiler else contextlib.nullcontext():
            updater.apply(Update("all", loss_of), Batch(x), torch.Generator())
        assert weights["unused"].grad is None
        gradients[compiler is None] = [weights[name].grad for name in ("added", "also_added", "transposed")]

    assert not said
    for plain, compiled in zip(*gradients.values(), strict=True):
        assert torch.equal(plain, compiled)
        assert compiled.stride() == plain.stride()
    assert len({gradient.untyped_storage().data_ptr() for gradient in (*gradients[False], x)}) == 4


class Noisy:
    """An augmentation with random numbers of each kind."""

    def __call__(self, samples: Tensor, random: RowRandom) -> Tensor:
        mirrored = torch.where(random.uniform(1, 1, 1) < 0.5, samples.flip(-1), samples)
        darker = mirrored * (1 - random.integers(3, 1, 1, 1) / 10)
        return darker + 0.05 * random.normal(1, 28, 28)


class Watching:
    """An augmentation that changes nothing and notes how each pass of the discriminator's loss is computed."""

    def __init__(self) -> None:
        self.is_compiled = False
        self.seen: list[bool] = []

    def __call__(self, samples: Tensor, random: RowRandom) -> Tensor:
        self.is_compiled = torch.compiler.is_compiling()
        return samples

    def observe(self, real_logits: Tensor) -> None:
        self.seen.append(self.is_compiled)


def train_watching(
    registry: Registry, recipe: Recipe, *overrides: str, augmentations: Mapping[str, Any] | None = None
) -> tuple[list[bool], list[dict[str, float]]]:
    """Train without the recipe's callbacks.

    Return for each pass of the discriminator's loss whether it was compiled, and of each step its statistics.
    """
    experiment = ganfw.assemble(ganfw.resolve(recipe.with_overrides(overrides), registry))
    watching = Watching()
    augmentations = {"watching": watching, **(augmentations or {})}
    step = registry.load("step", "alternating")(
        *experiment.networks.values(),
        experiment.loss,
        experiment.noise,
        experiment.regularizers,
        augmentations,
        reuse_fakes=experiment.step.reuse_fakes,
    )
    told: list[dict[str, float]] = []

    class Note(ganfw.Callback):
        def on_log(self, training: Training) -> None:
            told.append(training.means)

    settings = evolve(experiment.settings, log_every_steps=1)
    changed = evolve(
        experiment, step=step, augmentations=augmentations, callbacks={"note": Note()}, settings=settings, resolved=None
    )
    watching.seen.clear()
    ganfw.train(changed)
    return watching.seen, told


def assert_close(actual: list[dict[str, float]], expected: list[dict[str, float]]) -> None:
    assert len(actual) == len(expected) >= 6
    for ours, theirs in zip(actual, expected, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5)  # Adam makes much of a last digit


@pytest.mark.parametrize("loss", ["bce", "relativistic", "wasserstein"])
@needs_compiler
def test_training_compiled_gives_the_same(
    registry: Registry, tiny: Recipe, loss: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = Recipe(extends=tiny, loss={"use": loss}, run={"compile": False})
    as_written, plain = train_watching(registry, tiny)

    compiled, told = train_watching(registry, tiny, "run.compile=true")

    assert set(as_written) == {False}
    assert set(compiled) == {True}
    assert "run.compile" not in capsys.readouterr().err
    assert_close(told, plain)


@pytest.mark.parametrize("augmentations", [{}, {"noisy": Noisy()}], ids=["plain", "augmented"])
@needs_compiler
def test_the_fast_recipe_is_compiled_with_and_without_its_lazy_term(
    registry: Registry, capsys: pytest.CaptureFixture[str], augmentations: dict[str, Any]
) -> None:
    steps, lazy = 7, 4
    sgd = {"use": "sgd", "lr": 0.1}
    fast = Recipe(
        extends="mnist_mlp_fast",
        run={"compile": False, "batch_size": 32, "max_steps": steps},
        data={"split": "test"},
        generator={"hidden_dim": 4},
        discriminator={"hidden_dim": 4},
        optimizer={"generator": sgd, "discriminator": sgd},  # Adam without momentum makes much of a last digit
    )
    _, plain = train_watching(registry, fast, augmentations=augmentations)

    compiled, told = train_watching(registry, fast, "run.compile=true", augmentations=augmentations)

    assert compiled == [True] * steps
    assert "run.compile" not in capsys.readouterr().err
    assert ["r1/discriminator" in each for each in told] == [step % lazy == 0 for step in range(steps)]
    assert_close(told, plain)


@needs_compiler
def test_parts_of_a_batch_are_compiled(registry: Registry, tiny: Recipe) -> None:
    tiny = Recipe(extends=tiny, run={"compile": False, "accumulate": 4, "max_steps": 6})
    _, plain = train_watching(registry, tiny, augmentations={"noisy": Noisy()})

    compiled, told = train_watching(registry, tiny, "run.compile=true", augmentations={"noisy": Noisy()})

    assert compiled == [True] * 4 * 6
    assert_close(told, plain)


@pytest.fixture(scope="module")
def further() -> Registry:
    """Return the registry with the parts of `further_parts.py`."""
    return ganfw.discover(scripts=[Path(__file__).parents[1] / "further_parts.py"])


@pytest.mark.parametrize(
    "tables",
    [
        {},
        {
            "regularizers": {"r1": {"use": "r1", "every_steps": 2}},
            "augmentations": {"bright": {"use": "adaptive"}, "noise": {"use": "noise"}},
            "averaging": {"generator": {"use": "ema"}},
        },
    ],
    ids=["plain", "with everything"],
)
@needs_compiler
def test_a_resume_continues_bit_for_bit(
    further: Registry, tiny: Recipe, tmp_path: Path, tables: dict[str, Any]
) -> None:
    recipe = Recipe(extends=tiny, **tables).with_overrides(["run.compile=true", "run.batch_size=3000"])

    check_exact_resume(recipe, further, tmp_path)  # the fourth batch of an epoch is short


def test_without_a_compiler_training_says_so_and_continues(
    registry: Registry, tiny: Recipe, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ganfw.training.loop.compile_blocker", lambda device, processes: "no compiler found")

    compiled, told = train_watching(registry, tiny, "run.compile=true")

    assert set(compiled) == {False}
    assert len(told) == 10
    assert "run.compile: not compiled: no compiler found\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("setting", "steps", "compiles"),
    [
        ("auto", WORTH_COMPILING - 1, False),
        ("auto", WORTH_COMPILING, True),
        (True, 1, True),
        (False, WORTH_COMPILING, False),
    ],
)
def test_whether_to_compile_is_decided_from_the_number_of_steps(
    registry: Registry, tiny: Recipe, setting: Any, steps: int, compiles: bool
) -> None:
    experiment = ganfw.assemble(ganfw.resolve(Recipe(extends=tiny, run={"compile": setting}), registry))

    assert Training(experiment, steps=steps).compiles is compiles


def test_a_resumed_run_computes_as_was_decided_before_its_first_step(
    registry: Registry, tiny: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def refuse(device: torch.device, processes: ProcessGroup) -> str:
        asked.append(1)
        return "it is a test"

    monkeypatch.setattr("ganfw.training.loop.compile_blocker", refuse)
    experiment = evolve(ganfw.assemble(ganfw.resolve(tiny, registry)), callbacks={})
    assert experiment.settings.compile == "auto"

    short = Training(experiment, steps=4)
    short.run()
    assert not asked
    longer = Training(experiment, steps=WORTH_COMPILING)
    longer.load_state_dict(short.state_dict())
    assert not longer.compiles

    again = Training(experiment, steps=6)
    again.load_state_dict({**short.state_dict(), "compiles": True})
    again.run()
    assert again.state_dict()["compiles"] is True
    assert len(asked) == 1


def test_several_processes_do_not_compile(device: torch.device) -> None:
    assert compile_blocker(device, ProcessGroup(size=2)) == "there are several processes"
