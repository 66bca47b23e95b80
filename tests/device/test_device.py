"""What only a GPU can show, and what is compared between it and the CPU: `pytest tests/device --device cuda -m ""`.

All but the calls of `torch.cuda` themselves runs on the CPU as well, so that the tests are known to work.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import ganfw
from ganfw import Experiment, Recipe, Registry, Training
from ganfw.distributed.process_group import ProcessGroup
from ganfw.engine.compilation import compile_blocker
from ganfw.engine.networks import copy_network
from ganfw.engine.random_streams import seeded_generator
from ganfw.engine.sampling import generate
from ganfw.testing import check_exact_resume

RECIPES = sorted(path.stem for path in (Path(__file__).parents[2] / "recipes").glob("*.toml"))
SMALL = ["generator.hidden_dim=4", "discriminator.hidden_dim=4", "data.split=test"]
WARM = 8
"""Steps after which all buffers, kernels and graphs are there."""
GROWTH = 8 << 20
"""Bytes that memory may move by: batches to come are gathered a few at once."""


def assembled(name: str, device: torch.device, registry: Registry, *overrides: str) -> Experiment:
    recipe = Recipe(name=name, extends=name, run={"device": str(device), "log_every_steps": 100})
    return ganfw.assemble(ganfw.resolve(recipe.with_overrides(overrides), registry))


@contextlib.contextmanager
def waits_are_errors(device: torch.device) -> Iterator[None]:
    """Within the block, let a wait for the GPU raise."""
    if device.type == "cuda":
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        if device.type == "cuda":
            torch.cuda.set_sync_debug_mode("default")


def bytes_taken(device: torch.device) -> int:
    """Return the memory of a GPU that tensors take, or that of this process."""
    if device.type == "cuda":
        torch.cuda.synchronize()
        return torch.cuda.memory_allocated()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def take_steps_without_waiting(experiment: Experiment) -> dict[str, torch.Tensor]:
    """Take some steps, the later ones without a wait, and return the statistics of the last."""
    training, random = Training(experiment, steps=100), seeded_generator(experiment.device, 0, "training")
    with training.engine() as updater:
        batches = experiment.batches.epoch(0)
        for _ in range(WARM):
            updater.run(experiment.step, experiment.updates, next(batches), random)
        with waits_are_errors(experiment.device):
            for _ in range(WARM):
                statistics = updater.run(experiment.step, experiment.updates, next(batches), random)
    return statistics


def require_flat_memory(experiment: Experiment) -> None:
    training, random = Training(experiment, steps=400), seeded_generator(experiment.device, 0, "training")
    taken = []
    with training.engine() as updater:
        batches = ((epoch, batch) for epoch in range(9) for batch in experiment.batches.epoch(epoch))
        for step, (_, batch) in zip(range(1, 401), batches, strict=False):
            updater.run(experiment.step, experiment.updates, batch, random)
            if step in (100, 200, 400):
                taken.append(bytes_taken(experiment.device))
    assert len(taken) == 3
    assert max(taken) - min(taken) < GROWTH


@pytest.mark.only_on("cuda", reason="the CPU is never waited for")
@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype:UserWarning")
@pytest.mark.parametrize("precision", ["fp32", pytest.param("bf16", marks=pytest.mark.bf16)])
@pytest.mark.parametrize("name", RECIPES)
def test_nothing_waits_for_the_device_inside_a_step(
    device: torch.device, registry: Registry, name: str, precision: str
) -> None:
    take_steps_without_waiting(assembled(name, device, registry, f"run.precision={precision}"))


@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype:UserWarning")
def test_statistics_stay_on_the_device(device: torch.device, registry: Registry) -> None:
    statistics = take_steps_without_waiting(assembled("mnist_mlp", device, registry, *SMALL))

    assert statistics.keys() == {"loss/discriminator", "loss/generator"}
    assert {value.device.type for value in statistics.values()} == {device.type}
    assert all(value.isfinite() for value in statistics.values())


@pytest.mark.only_on("cuda", "cpu", reason="the memory of other devices is not known")
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the memory of a process is known on Linux only")
def test_memory_of_small_networks_stays_flat(device: torch.device, registry: Registry) -> None:
    require_flat_memory(assembled("mnist_mlp", device, registry, *SMALL))


@pytest.mark.only_on("cuda", reason="the memory of a process moves by more with networks of this size")
@pytest.mark.parametrize("name", ["mnist_mlp", "mnist_mlp_fast"])
def test_memory_stays_flat(device: torch.device, registry: Registry, name: str) -> None:
    require_flat_memory(assembled(name, device, registry))


@pytest.mark.parametrize("name", RECIPES)
def test_data_networks_and_state_are_on_the_device(device: torch.device, registry: Registry, name: str) -> None:
    experiment = assembled(name, device, registry)
    random = seeded_generator(experiment.device, 0, "training")
    batch = next(experiment.batches.epoch(0))
    with Training(experiment, steps=1).engine() as updater:
        updater.run(experiment.step, experiment.updates, batch, random)

    data = experiment.batches.data
    tensors = [data.samples, batch.samples]
    tensors += [labels for labels in (data.labels, batch.labels) if labels is not None]
    tensors += [value for network in experiment.networks.values() for value in network.state_dict().values()]
    for optimizer in experiment.optimizers.values():
        moments = [state for states in optimizer.state.values() for key, state in states.items() if key != "step"]
        assert moments
        tensors += moments
    assert {tensor.device.type for tensor in tensors} == {device.type}


@pytest.mark.only_on("cuda", reason="tests of each recipe show it there, tests/test_every_part.py")
@pytest.mark.parametrize("name", RECIPES)
def test_a_resumed_run_has_the_same_bits(device: torch.device, registry: Registry, tmp_path: Path, name: str) -> None:
    check_exact_resume(Recipe(name=name, extends=name, run={"device": str(device)}), registry, tmp_path)


def test_a_small_run_that_is_resumed_has_the_same_bits(tiny: Recipe, registry: Registry, tmp_path: Path) -> None:
    check_exact_resume(tiny, registry, tmp_path)


def test_samples_are_those_of_the_cpu(tiny: Recipe, registry: Registry) -> None:
    experiment = ganfw.assemble(ganfw.resolve(tiny, registry))
    ganfw.train(experiment)
    generator = experiment.networks["generator"]
    z = torch.randn(100, 64, generator=seeded_generator("cpu", 0))

    samples = generate(generator, z.to(experiment.device))

    assert samples.device.type == "cpu"
    assert torch.allclose(samples, generate(copy_network(generator).to("cpu"), z), atol=1e-5)


def relative_errors(device: torch.device) -> list[float]:
    """Return the largest error of a float32 matrix product and of a convolution, over the largest exact value."""
    random = seeded_generator("cpu", 0)
    left, right, images, kernels = (
        torch.randn(shape, generator=random).to(device)
        for shape in ((512, 1024), (1024, 512), (16, 64, 14, 14), (64, 64, 3, 3))
    )
    found = left @ right, torch.nn.functional.conv2d(images, kernels)
    exact = (
        left.cpu().double() @ right.cpu().double(),
        torch.nn.functional.conv2d(*(images.cpu().double(), kernels.cpu().double())),
    )
    return [
        float((ours.cpu() - theirs).abs().max() / theirs.abs().max()) for ours, theirs in zip(found, exact, strict=True)
    ]


def test_products_have_the_precision_of_float32(device: torch.device, registry: Registry) -> None:
    with Training(assembled("mnist_mlp", device, registry, *SMALL), steps=1).engine():
        assert max(relative_errors(device)) < 1e-5  # with TF32 they are above 1e-4


@pytest.mark.only_on("cuda", reason="only NVIDIA's GPUs have TF32")
def test_products_are_rounded_to_tf32_where_the_recipe_asks(device: torch.device, registry: Registry) -> None:
    if torch.cuda.get_device_capability(device) < (8, 0):
        pytest.skip(f"{torch.cuda.get_device_name(device)} has no TF32")
    with Training(assembled("mnist_mlp", device, registry, *SMALL, "run.tf32=true"), steps=1).engine():
        assert min(relative_errors(device)) > 5e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist_mlp", "mnist_mlp_fast"])
def test_compiled_losses_train_as_those_that_are_not(device: torch.device, registry: Registry, name: str) -> None:
    if blocker := compile_blocker(device, ProcessGroup()):
        pytest.skip(blocker)
    # Gradient descent, because rounding decides the sign of a first step of Adam where a gradient is nearly 0.
    plain = [
        f"optimizer.{network}.{key}" for network in ("generator", "discriminator") for key in ("use=sgd", "lr=0.1")
    ]
    means = [
        ganfw.train(assembled(name, device, registry, f"run.compile={compiled}", *plain), steps=50).means
        for compiled in ("false", "true")
    ]
    assert means[0].keys() == means[1].keys()
    for key, value in means[0].items():
        assert means[1][key] == pytest.approx(value, rel=1e-3), key
