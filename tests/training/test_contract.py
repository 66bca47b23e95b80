"""Parts that do not fit are told by name, before training."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ganfw
from ganfw import Experiment, InputError, PartError, Registry, RunSettings, TensorData


class Wrapped(nn.Module):
    """A network that does something to another's output."""

    def __init__(self, network: nn.Module, change: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.network = network
        self.change = change

    def forward(self, x: Tensor) -> Any:
        return self.change(self.network(x))


class WrappedNoise:
    """Noise that does something to another's output."""

    def __init__(self, noise: Any, change: Callable[[Tensor], Any], device: str = "cpu") -> None:
        self.noise, self.change = noise, change
        self.z_dim, self.device = 4, torch.device(device)

    def __call__(self, count: int, random: torch.Generator) -> Any:
        return self.change(self.noise(count, random))


class Loss:
    """A loss that does something to another's result."""

    def __init__(self, change: Callable[[Tensor], Any]) -> None:
        self.change = change

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Any:
        return self.change((fake_logits - real_logits).mean())

    def generator(self, fake_logits: Tensor) -> Any:
        return self.change(-fake_logits.mean())


def same(value: Tensor) -> Tensor:
    return value


def compose(registry: Registry, **changed: Any) -> Experiment:
    """Compose a small experiment by hand, with some parts exchanged."""
    generator = registry.load("generator", "mlp")(4, (1, 28, 28), hidden_dim=2)
    discriminator = registry.load("discriminator", "mlp")((1, 28, 28), hidden_dim=2)
    parts: dict[str, Any] = {
        "data": TensorData(torch.zeros(8, 1, 28, 28, dtype=torch.uint8)),
        "noise": registry.load("noise", "normal")("cpu", z_dim=4),
        "generator": generator,
        "discriminator": discriminator,
        "loss": Loss(same),
        "optimizers": {},
        "step": lambda batch, random: {},
        "settings": RunSettings(device="cpu"),
    }
    return Experiment(**{name: changed.get(name, lambda part: part)(part) for name, part in parts.items()})


def test_parts_that_fit_are_accepted_and_left_as_they_were(registry: Registry) -> None:
    first = compose(registry)
    random_state = torch.get_rng_state()
    experiment = Experiment(
        first.data, first.noise, first.generator, first.discriminator, first.loss, {}, first.step, {}, first.settings
    )

    assert torch.equal(torch.get_rng_state(), random_state)
    assert experiment.generator.training
    batch_norm = next(module for module in experiment.generator.modules() if isinstance(module, nn.BatchNorm1d))
    assert int(batch_norm.num_batches_tracked) == 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"generator": lambda part: Wrapped(part, lambda x: x.flatten(1))},
            "generator Wrapped gives shape (2, 784); (2, 1, 28, 28) is needed",
        ),
        (
            {"generator": lambda part: Wrapped(part, lambda x: x * 2 - 1)},
            r"generator Wrapped gives values from -0.\d+ to 0.\d+; images must be in [0, 1]",
        ),
        (
            {"generator": lambda part: Wrapped(part, lambda x: x.double())},
            "generator Wrapped gives torch.float64; torch.float32 is needed",
        ),
        (
            {"generator": lambda part: Wrapped(part, lambda x: x / 0)},
            "generator Wrapped gives values that are not finite",
        ),
        ({"generator": lambda part: Wrapped(part, lambda x: [x])}, "generator Wrapped gives list, not a tensor"),
        (
            {"generator": lambda part: Wrapped(part, lambda x: int("two"))},
            "generator Wrapped fails on (2, 4): invalid literal for int() with base 10: 'two'",
        ),
        (
            {"generator": lambda part: part.to("meta")},
            "generator MLPGenerator is on meta; move it to the run's cpu",
        ),
        (
            {"discriminator": lambda part: Wrapped(part, lambda x: x.squeeze(1))},
            "discriminator Wrapped gives shape (2,); (2, 1) is needed",
        ),
        (
            {"noise": lambda part: WrappedNoise(part, lambda z: z[:, :3])},
            "noise WrappedNoise gives shape (2, 3); (2, 4) is needed",
        ),
        (
            {"noise": lambda part: WrappedNoise(part, lambda z: z.to("meta"))},
            "noise WrappedNoise gives a tensor on meta; the run is on cpu",
        ),
        (
            {"noise": lambda part: WrappedNoise(part, same, device="meta")},
            "noise WrappedNoise is on meta; the run is on cpu",
        ),
        ({"loss": lambda part: Loss(lambda x: x.reshape(1))}, "loss Loss gives shape (1,); () is needed"),
        ({"loss": lambda part: Loss(float)}, "loss Loss gives float, not a tensor"),
        (
            {"data": lambda part: TensorData(torch.full((8, 1, 28, 28), 2.0))},
            "data TensorData gives values from 2 to 2; images must be in [0, 1]",
        ),
    ],
)
def test_a_part_that_does_not_fit_is_told_by_name(
    registry: Registry, changed: dict[str, Callable[[Any], Any]], message: str
) -> None:
    with pytest.raises(PartError) as caught:
        compose(registry, **changed)
    if "\\d" in message:
        assert caught.match(message.replace("[0, 1]", r"\[0, 1\]"))
    else:
        assert str(caught.value) == message


def test_an_error_of_a_parts_own_making_is_passed_on(registry: Registry) -> None:
    def refuse(_: Tensor) -> Tensor:
        raise InputError("this network wants images of 32 pixels")

    with pytest.raises(InputError) as caught:
        compose(registry, discriminator=lambda part: Wrapped(part, refuse))
    assert str(caught.value) == "this network wants images of 32 pixels"


def test_a_registered_part_is_told_with_its_package(registry: Registry, tiny: ganfw.Recipe) -> None:
    resolved = ganfw.resolve(tiny, registry)
    experiment = ganfw.assemble(resolved)

    with pytest.raises(PartError) as caught:
        Experiment(
            data=experiment.data,
            noise=experiment.noise,
            generator=Wrapped(experiment.generator, lambda x: x[:1]),
            discriminator=experiment.discriminator,
            loss=experiment.loss,
            optimizers={},
            step=experiment.step,
            settings=experiment.settings,
            resolved=resolved,
        )
    version = resolved.parts["generator"].plugin.version
    expected = f"generator 'mlp' (ganfw {version}) gives shape (1, 1, 28, 28); (2, 1, 28, 28) is needed"
    assert str(caught.value) == expected


def test_data_that_is_no_image_may_have_any_range(registry: Registry) -> None:
    experiment = compose(
        registry,
        data=lambda _: TensorData(torch.randn(8, 2) * 9),
        generator=lambda _: nn.Linear(4, 2),
        discriminator=lambda _: nn.Linear(2, 1),
    )

    assert experiment.batches.sample_shape == (2,)


@pytest.mark.parametrize(("size", "batch_size"), [(9, 4), (1, 128), (3, 1)])
def test_a_batch_of_one_is_refused_where_a_network_mixes_the_batch(
    registry: Registry, size: int, batch_size: int
) -> None:
    parts = {
        "data": lambda _: TensorData(torch.zeros(size, 1, 28, 28, dtype=torch.uint8)),
        "settings": lambda _: RunSettings(batch_size=batch_size, device="cpu"),
    }

    with pytest.raises(PartError) as caught:
        compose(registry, **parts)
    assert str(caught.value).startswith(
        f"generator MLPGenerator cannot train on one sample, and with {size} samples and run.batch_size = {batch_size} "
        "there is a batch of one; choose another batch size: Expected more than 1 value"
    )
    without = registry.load("generator", "mlp")(4, (1, 28, 28), hidden_dim=2, norm="none")
    compose(registry, **parts, generator=lambda _: without)
    mixing = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(784), nn.Linear(784, 1))
    with pytest.raises(PartError, match="discriminator Sequential cannot train on one sample"):
        compose(registry, **parts, generator=lambda _: without, discriminator=lambda _: mixing)


def test_a_misfit_is_told_before_a_batch_of_one(registry: Registry) -> None:
    with pytest.raises(PartError, match=r"generator Wrapped gives shape \(2, 784\)"):
        compose(
            registry,
            data=lambda _: TensorData(torch.zeros(9, 1, 28, 28, dtype=torch.uint8)),
            settings=lambda _: RunSettings(batch_size=4, device="cpu"),
            generator=lambda part: Wrapped(part, lambda x: x.flatten(1)),
        )
