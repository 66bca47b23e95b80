"""Progressive growing: fades against explicit computations, the schedule, checkpoints in a fade, compiled graphs."""

import copy
import math
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from attrs import evolve
from progressive_recipes import small_progressive
from torch import Tensor, nn
from torch.nn.functional import conv2d

import ganfw
from ganfw.testing import check_exact_resume
from ganfw_conv.progressive.networks import ProgressiveDiscriminator, ProgressiveGenerator
from ganfw_conv.progressive.step import ProgressiveGrowing, stage_of

Z_DIM = 5
SHAPE = (2, 28, 20)
"""Of three sizes: 7 x 5, 14 x 10, 28 x 20."""


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def uniform(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def small_generator() -> ProgressiveGenerator:
    torch.manual_seed(0)
    return ProgressiveGenerator(Z_DIM, SHAPE, base_channels=4, most_channels=12)


def small_discriminator(group: int = 1) -> ProgressiveDiscriminator:
    torch.manual_seed(0)
    return ProgressiveDiscriminator(SHAPE, base_channels=2, most_channels=6, group=group)


def mean_of_squares(images: Tensor) -> Tensor:
    """Halve height and width, pixel by pixel."""
    return (images[..., ::2, ::2] + images[..., 1::2, ::2] + images[..., ::2, 1::2] + images[..., 1::2, 1::2]) / 4


def each_pixel_four_times(images: Tensor) -> Tensor:
    return images.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


def leaky(x: Tensor) -> Tensor:
    return torch.where(x < 0, 0.2 * x, x) * math.sqrt(2)


def of_length_1(x: Tensor) -> Tensor:
    return x / (x**2).mean(1, keepdim=True).add(1e-8).sqrt()


class Layers:
    """The layers of a network by name, computed from its saved weights."""

    def __init__(self, network: nn.Module) -> None:
        self.weights = network.state_dict()

    def linear(self, name: str, x: Tensor) -> Tensor:
        weight = self.weights[f"{name}.weight"]
        return x @ weight.T / math.sqrt(weight.shape[1]) + self.weights[f"{name}.bias"]

    def convolution(self, name: str, x: Tensor) -> Tensor:
        weight = self.weights[f"{name}.weight"]
        scaled = weight / math.sqrt(weight[0].numel())
        return conv2d(x, scaled, self.weights[f"{name}.bias"], padding=weight.shape[2] // 2)


def explicit_images(generator: nn.Module, z: Tensor, smallest: tuple[int, int] = (7, 5)) -> list[Tensor]:
    """Return the image that a generator makes at each of its three sizes, the smallest first."""
    layers = Layers(generator)

    def step(name: str, x: Tensor) -> Tensor:
        return of_length_1(leaky(layers.convolution(name, x)))

    def image(size: int, x: Tensor) -> Tensor:
        return (torch.tanh(layers.convolution(f"to_images.{size}", x)) + 1) / 2

    start = layers.linear("start", of_length_1(z)).reshape(len(z), -1, *smallest)
    x = step("first", of_length_1(leaky(start)))
    images = [image(0, x)]
    for number in (0, 1):
        x = step(f"blocks.{number}.second", step(f"blocks.{number}.first", each_pixel_four_times(x)))
        images.append(image(number + 1, x))
    return images


@pytest.mark.parametrize("stage", [0, 0.25, 1, 1.75, 2])
def test_image_is_that_of_its_size_mixed_with_the_former_one(stage: float) -> None:
    generator, z = small_generator(), normal(4, Z_DIM)
    generator.grow(stage)
    small, middle, large = explicit_images(generator, z)
    twice = each_pixel_four_times
    expected = {
        0: twice(twice(small)),
        0.25: twice(0.75 * twice(small) + 0.25 * middle),
        1: twice(middle),
        1.75: 0.25 * twice(middle) + 0.75 * large,
        2: large,
    }[stage]
    torch.testing.assert_close(generator(z), expected)


@pytest.mark.parametrize("stage", [0, 0.25, 1, 1.75, 2])
def test_discriminator_sees_its_size_and_mixes_maps_with_those_of_half_of_it(stage: float) -> None:
    discriminator, images = small_discriminator(), uniform(4, *SHAPE)
    discriminator.grow(stage)
    layers = Layers(discriminator)
    sizes = [mean_of_squares(mean_of_squares(images)), mean_of_squares(images), images]

    def seen(size: int) -> Tensor:
        return leaky(layers.convolution(f"from_images.{size}", 2 * sizes[size] - 1))

    def down(number: int, x: Tensor) -> Tensor:
        x = leaky(layers.convolution(f"blocks.{number}.first", x))
        return mean_of_squares(leaky(layers.convolution(f"blocks.{number}.second", x)))

    x = {
        0: lambda: seen(0),
        0.25: lambda: 0.75 * seen(0) + 0.25 * down(0, seen(1)),
        1: lambda: down(0, seen(1)),
        1.75: lambda: down(0, 0.25 * seen(1) + 0.75 * down(1, seen(2))),
        2: lambda: down(0, down(1, seen(2))),
    }[stage]()
    deviation = torch.full((4, 1, 7, 5), 1e-4)  # of groups of one: the root of 1e-8
    x = leaky(layers.convolution("last", torch.cat([x, deviation], dim=1)))
    expected = layers.linear("head", leaky(layers.linear("linear", x.flatten(1))))
    torch.testing.assert_close(discriminator(images), expected)


@pytest.mark.parametrize("stage", [0, 0.25, 1, 1.75, 2])
def test_real_images_are_mixed_as_fakes_are(stage: float) -> None:
    discriminator, images = small_discriminator(), uniform(4, *SHAPE)
    discriminator.grow(stage)
    half, twice = mean_of_squares, each_pixel_four_times
    middle = half(images)
    expected = {
        0: twice(twice(half(middle))),
        0.25: twice(0.75 * twice(half(middle)) + 0.25 * middle),
        1: twice(middle),
        1.75: 0.25 * twice(middle) + 0.75 * images,
        2: images,
    }[stage]
    torch.testing.assert_close(discriminator.at_stage(images), expected)


def test_discriminator_sees_how_different_a_batch_is() -> None:
    discriminator, images = small_discriminator(group=4), uniform(4, *SHAPE)
    discriminator.grow(0.5)
    alike = images[:1].expand(4, -1, -1, -1)
    assert not torch.allclose(discriminator(images)[:1], discriminator(alike)[:1])


@pytest.mark.parametrize("make", [small_generator, small_discriminator])
def test_blocks_that_are_not_reached_are_not_computed(make: Callable[[], nn.Module]) -> None:
    network = make()
    called: list[str] = []
    for name, module in network.named_modules():
        module.register_forward_hook(lambda *_, name=name: called.append(name))
    first = normal(2, Z_DIM) if make is small_generator else uniform(2, *SHAPE)
    computed = {0: set(), 0.5: {"0"}, 1: {"0"}, 1.5: {"0", "1"}, 2: {"0", "1"}}
    for stage, expected in computed.items():
        called.clear()
        network.zero_grad()
        network.grow(stage)
        network(first).sum().backward()
        assert {name.split(".")[1] for name in called if name.startswith("blocks.")} == expected
        learning = {
            name.split(".")[1]
            for name, each in network.named_parameters()
            if "blocks." in name and each.grad is not None
        }
        assert learning == expected


@pytest.mark.parametrize("stage", [-0.1, 2.01])
def test_stage_that_does_not_exist_is_refused(stage: float) -> None:
    with pytest.raises(ganfw.InputError) as refusal:
        small_generator().grow(stage)
    assert str(refusal.value) == f"there is no stage {stage:g}: they are from 0 to 2"


@pytest.mark.parametrize("training", [True, False])
def test_network_that_loads_weights_has_their_stage(training: bool) -> None:
    generator, z = small_generator(), normal(2, Z_DIM)
    generator.grow(0.25)
    for other in (small_generator(), copy.deepcopy(small_generator())):
        other.train(training).load_state_dict(generator.state_dict())
        assert torch.equal(other(z), generator(z))
    kept = copy.deepcopy(generator)
    generator.grow(2)
    assert not torch.equal(kept(z), generator(z))


@pytest.mark.parametrize(("saved", "stage"), [(-(2**40), 0), (2**62, 2)])
def test_damaged_stage_is_the_nearest_that_exists(saved: int, stage: float) -> None:
    generator, other, z = small_generator(), small_generator(), normal(2, Z_DIM)
    generator.load_state_dict({**generator.state_dict(), "growth.stage": torch.tensor(saved)})
    other.grow(stage)
    assert torch.equal(generator(z), other(z))


@pytest.mark.parametrize("stage", [0, 0.25, 1.75])
def test_exported_generator_has_the_stage(stage: float) -> None:
    generator = small_generator().eval()
    generator.grow(stage)
    exported = torch.export.export(generator, (normal(5, Z_DIM),), dynamic_shapes=({0: torch.export.Dim("n")},))
    z = normal(9, Z_DIM, seed=1)
    torch.testing.assert_close(exported.module()(z), generator(z))


def growing(**keys: float) -> ProgressiveGrowing:
    """Return the step with networks of three sizes."""
    registry = ganfw.discover()
    loss = registry.load("loss", "ganfw:logistic")()
    return ProgressiveGrowing(small_generator(), small_discriminator(), loss, lambda *_: normal(4, Z_DIM), **keys)


def test_each_size_has_as_many_steps_and_then_the_next_is_faded_in() -> None:
    stages = [stage_of(step, 80, 2, 0.5, 0.5) for step in range(80)]
    fade = [0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95]
    expected = [*[0.0] * 10, *fade, *[1.0] * 10, *(1 + share for share in fade), *[2.0] * 40]
    assert stages == pytest.approx(expected, abs=1e-12)
    assert [stages[each] for each in (0, 9, 20, 29, 40, 79)] == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"growing": 0.0}, [2] * 8),
        ({"growing": 1.0, "fade_share": 0.0}, [0, 0, 0, 0, 1, 1, 1, 1]),
        ({"growing": 1.0, "fade_share": 1.0}, [0.125, 0.375, 0.625, 0.875, 1.125, 1.375, 1.625, 1.875]),
        ({"growing": 1.0, "fade_share": 0.25}, [0, 0, 0, 0.5, 1, 1, 1, 1.5]),
    ],
)
def test_keys_choose_how_long_images_grow_and_fade(keys: dict[str, float], expected: list[float]) -> None:
    step = growing(**keys)
    assert [step.stage(ganfw.Batch(uniform(4, *SHAPE), step=each, total_steps=8)) for each in range(8)] == expected


def test_run_of_unknown_length_has_two_steps_of_each_size() -> None:
    assert [stage_of(step, 0, 2, 0.5, 0.5) for step in range(6)] == [0, 0.5, 1, 1.5, 2, 2]
    assert stage_of(0, 0, 2, 0.0, 0.5) == 2


def test_networks_that_do_not_grow_alike_are_refused(registry: ganfw.Registry) -> None:
    for overrides in (["generator.use=dcgan"], ["discriminator.use=ganfw:mlp"]):
        with pytest.raises(ganfw.InputError) as refusal:
            ganfw.assemble(ganfw.resolve(small_progressive(registry, *overrides), registry))
        assert "both networks must grow through the same sizes; use 'progressive' for both" in str(refusal.value)


def test_discriminator_learns_from_real_images_of_the_stage() -> None:
    step = growing(growing=1.0, fade_share=1.0)
    seen: list[Tensor] = []
    step.discriminator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    batch = ganfw.Batch(uniform(4, *SHAPE), step=3, total_steps=8)
    step.drive(
        batch,
        torch.Generator(),
        lambda update, batch, random: update.loss(batch, batch.row_random(random), *update.draw(batch, random)),
    )
    middle = mean_of_squares(batch.samples)
    mixed = 0.125 * each_pixel_four_times(mean_of_squares(middle)) + 0.875 * middle
    torch.testing.assert_close(seen[-2][:4], each_pixel_four_times(mixed))  # the last is of the generator


class Watch(ganfw.Callback):
    """Notes the stage of the generator, and of the mean of its weights, after each step; may stop after one."""

    def __init__(self, stop_at: int = 0) -> None:
        self.stop_at = stop_at
        self.stages: list[float] = []
        self.means: list[float] = []

    def on_step(self, training: ganfw.Training) -> None:
        if training.step == self.stop_at:
            training.stop("the test")
        means = training.experiment.averaging.values()
        for networks in (training.experiment.networks, *(each.networks for each in means)):
            noted = self.stages if networks is training.experiment.networks else self.means
            noted.append(int(networks["generator"].growth.stage) / 2**20)


def trained(recipe: ganfw.Recipe, registry: ganfw.Registry, folder: Path, **callbacks: Watch) -> ganfw.Training:
    """Train a recipe in a run directory."""
    experiment = ganfw.assemble(ganfw.resolve(recipe, registry))
    experiment = evolve(experiment, callbacks={**experiment.callbacks, **callbacks})
    return ganfw.train(experiment, directory=ganfw.create_run_directory(folder, experiment))


def test_mean_of_weights_is_at_the_stage_of_its_network(registry: ganfw.Registry, tmp_path: Path) -> None:
    watch = Watch()
    trained(small_progressive(registry), registry, tmp_path, watch=watch)
    expected = [stage_of(step, 10, 2, 0.5, 0.5) for step in range(10)]
    assert watch.stages == watch.means == pytest.approx(expected, abs=1e-6)
    assert len(set(expected)) == 5


@pytest.mark.parametrize("mean", ["averaging.generator.decay=0.5", "averaging.generator.enabled=false"])
def test_checkpoint_in_a_fade_has_samples_of_its_stage(registry: ganfw.Registry, tmp_path: Path, mean: str) -> None:
    keys = ["run.max_steps=8", "step.growing=1.0", "step.fade_share=1.0", mean]
    recipe = small_progressive(registry, *keys)
    training = trained(recipe, registry, tmp_path, watch=Watch(stop_at=3))
    assert training.directory is not None
    source = ganfw.open_checkpoint(training.directory).source(registry)
    generator = source.networks["generator"]
    assert int(generator.growth.stage) / 2**20 == 0.625

    z = normal(4, training.experiment.noise.z_dim)
    small, middle, _ = explicit_images(generator, z, (7, 7))
    mixed = 0.375 * each_pixel_four_times(small) + 0.625 * middle
    torch.testing.assert_close(ganfw.generate(generator, z), each_pixel_four_times(mixed))


@pytest.mark.parametrize("stop_at", [3, 4, 7])
def test_run_resumes_exactly_in_a_fade(registry: ganfw.Registry, tmp_path: Path, stop_at: int) -> None:
    regularizers = {"r1": {"use": "r1", "every_steps": 2}}
    recipe = ganfw.Recipe(name="r1", extends=small_progressive(registry), regularizers=regularizers)
    recipe = recipe.with_overrides(["step.growing=0.9", "step.fade_share=0.8"])
    assert not stage_of(stop_at - 1, 10, 2, 0.9, 0.8).is_integer()
    check_exact_resume(recipe, registry, tmp_path, stop_at=stop_at, steps=10)


@pytest.mark.slow
def test_compiled_losses_follow_the_stage(registry: ganfw.Registry, tmp_path: Path) -> None:
    keys = ["run.max_steps=14", "step.growing=0.9", "averaging.generator.enabled=false"]
    sgd = {name: {"use": "sgd", "lr": 0.01} for name in ("generator", "discriminator")}
    recipe = ganfw.Recipe(name="compiled", extends=small_progressive(registry, *keys), optimizer=sgd)
    written = trained(recipe.with_overrides(["run.compile=false"]), registry, tmp_path / "written")
    torch._dynamo.utils.counters.clear()
    with warnings.catch_warnings(action="ignore"):
        compiled = trained(recipe.with_overrides(["run.compile=true"]), registry, tmp_path / "compiled")
    graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    assert graphs in (2 * 5, 1 + 2 * 5)  # where nothing was compiled before, of a sum first, on trial
    for name, network in written.experiment.networks.items():
        found = compiled.experiment.networks[name].state_dict()
        for key, value in network.state_dict().items():
            torch.testing.assert_close(found[key], value, rtol=1e-4, atol=1e-4)
