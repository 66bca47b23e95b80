"""What only a GPU can show; where there is none, all of it is skipped."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import ganfw
from ganfw import Recipe, Registry, Training
from ganfw.engine.random_streams import seeded_generator
from ganfw.testing import check_exact_resume

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")

RECIPES = sorted(path.stem for path in (Path(__file__).parents[2] / "recipes").glob("*.toml"))
WARM = 8
"""Steps after which all buffers, kernels and graphs are there."""


def on_the_gpu(name: str, **run: object) -> Recipe:
    return Recipe(name=name, extends=name, run={"device": "cuda", "log_every_steps": 100, **run})


@pytest.fixture
def waits_are_errors() -> Iterator[None]:
    """Let a test switch on that a wait for the device raises, and switch it off afterwards."""
    yield
    torch.cuda.set_sync_debug_mode("default")


@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype:UserWarning")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.usefixtures("waits_are_errors")
def test_nothing_waits_for_the_device_inside_a_step(registry: Registry, name: str, precision: str) -> None:
    experiment = ganfw.assemble(ganfw.resolve(on_the_gpu(name, precision=precision), registry))
    training, random = Training(experiment, steps=100), seeded_generator(experiment.device, 0, "training")
    assert experiment.batches.data.samples.is_cuda

    with training.engine() as updater:
        batches = experiment.batches.epoch(0)
        for step in range(WARM + 8):
            if step == WARM:
                torch.cuda.set_sync_debug_mode("error")
            updater.run(experiment.step, experiment.updates, next(batches), random)


@pytest.mark.parametrize("name", ["mnist_mlp", "mnist_mlp_fast"])
def test_memory_stays_flat(registry: Registry, name: str) -> None:
    experiment = ganfw.assemble(ganfw.resolve(on_the_gpu(name), registry))
    training, random = Training(experiment, steps=400), seeded_generator(experiment.device, 0, "training")
    taken = []
    with training.engine() as updater:
        for step, batch in enumerate(experiment.batches.epoch(0), 1):
            updater.run(experiment.step, experiment.updates, batch, random)
            if step in (100, 200, 400):
                torch.cuda.synchronize()
                taken.append(torch.cuda.memory_allocated())
    assert max(taken) - min(taken) < 8 << 20  # batches to come are gathered a few at once


@pytest.mark.parametrize("name", RECIPES)
def test_a_resumed_run_has_the_same_bits(registry: Registry, tmp_path: Path, name: str) -> None:
    check_exact_resume(on_the_gpu(name), registry, tmp_path)


def test_samples_are_those_of_the_cpu(registry: Registry, tmp_path: Path) -> None:
    experiment = ganfw.assemble(ganfw.resolve(on_the_gpu("mnist_mlp"), registry))
    checkpoint = ganfw.open_checkpoint(ganfw.save_checkpoint(ganfw.train(experiment, steps=50, directory=tmp_path)))
    ways = [checkpoint.source(registry, device).sample(25) for device in ("cuda", "cpu")]
    assert not torch.equal(*ways)  # other noise: the generators of random numbers are not the same
    assert torch.allclose(ways[0].mean(), ways[1].mean(), atol=0.02)


def test_products_have_the_precision_of_float32(registry: Registry) -> None:
    experiment = ganfw.assemble(ganfw.resolve(on_the_gpu("mnist_mlp"), registry))
    left, right = (torch.randn(1024, 1024, device="cuda") for _ in range(2))
    with Training(experiment, steps=1).engine():
        product = left @ right
    exact = left.double() @ right.double()
    assert float((product - exact).abs().max() / exact.abs().max()) < 1e-5  # with TF32 it is above 1e-4


@pytest.mark.parametrize("name", ["mnist_mlp", "mnist_mlp_fast"])
def test_compiled_losses_train_as_those_that_are_not(registry: Registry, name: str) -> None:
    means = [
        ganfw.train(ganfw.assemble(ganfw.resolve(on_the_gpu(name, compile=compiled), registry)), steps=100).means
        for compiled in (False, True)
    ]
    assert means[0].keys() == means[1].keys()
    for key, value in means[0].items():
        assert means[1][key] == pytest.approx(value, rel=0.02, abs=1e-3), key
