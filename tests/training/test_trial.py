"""Parts that do not fit are told by name, before training."""

import copy
import random
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from attrs import evolve
from torch import Tensor, nn

import ganfw
from ganfw import (
    Experiment,
    InputError,
    PartError,
    PartFailure,
    Registry,
    RunSettings,
    TensorData,
    Update,
    UpdateContext,
)
from ganfw.engine.random_streams import global_state
from ganfw.training.trial import COUNT


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


def same(value: Any) -> Any:
    return value


class Updates:
    """A step that makes the updates it is given."""

    def __init__(self, *updates: Update) -> None:
        self._updates = updates

    def updates(self) -> tuple[Update, ...]:
        return self._updates


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
        "settings": RunSettings(device="cpu"),
        "step": Updates(),
        "optimizers": {},
        "regularizers": {},
    }
    found = {name: changed.get(name, same)(part) for name, part in parts.items()}
    networks = {name: found.pop(name) for name in ("generator", "discriminator")}
    return Experiment(**found, networks=networks)


def compose_updated(*updates: Update, networks: dict[str, nn.Module], **parts: Any) -> Experiment:
    """Compose an experiment of two values a sample, whose step makes some updates, one optimizer for each network."""
    return Experiment(
        **{
            "data": TensorData(torch.linspace(0, 1, 16).reshape(8, 2), torch.arange(8) % 2, 2),
            "networks": networks,
            "settings": RunSettings(device="cpu"),
            "step": Updates(*updates),
            "optimizers": {name: torch.optim.SGD(network.parameters(), lr=0.1) for name, network in networks.items()},
            **parts,
        }
    )


def test_parts_that_fit_are_accepted_and_left_as_they_were(registry: Registry) -> None:
    first = compose(registry)
    random_state = torch.get_rng_state()
    experiment = evolve(first)

    assert torch.equal(torch.get_rng_state(), random_state)
    assert experiment.networks["generator"].training
    batch_norm = next(
        module for module in experiment.networks["generator"].modules() if isinstance(module, nn.BatchNorm1d)
    )
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
            "generator Wrapped gives values that are not finite; all must be finite",
        ),
        (
            {"generator": lambda part: Wrapped(part, lambda x: [x])},
            "generator Wrapped gives list; it must give a tensor",
        ),
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
            "noise WrappedNoise gives a tensor on meta; it must be on the run's cpu",
        ),
        (
            {"noise": lambda part: WrappedNoise(part, same, device="meta")},
            "noise WrappedNoise is on meta; it must be on the run's cpu",
        ),
        ({"loss": lambda part: Loss(lambda x: x.reshape(1))}, "loss Loss gives shape (1,); () is needed"),
        ({"loss": lambda part: Loss(float)}, "loss Loss gives float; it must give a tensor"),
    ],
)
def test_a_part_that_does_not_fit_is_reported_by_name(
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


def test_a_registered_part_is_reported_with_its_package(registry: Registry, tiny: ganfw.Recipe) -> None:
    resolved = ganfw.resolve(tiny, registry)
    experiment = ganfw.assemble(resolved)

    changed = {**experiment.networks, "generator": Wrapped(experiment.networks["generator"], lambda x: x[:1])}
    with pytest.raises(PartError) as caught:
        evolve(experiment, networks=changed)
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


def test_a_part_of_one_is_refused_where_a_network_mixes_the_batch(registry: Registry) -> None:
    parts = {"data": lambda _: TensorData(torch.zeros(14, 1, 28, 28, dtype=torch.uint8))}
    compose(registry, **parts, settings=lambda _: RunSettings(batch_size=8, accumulate=3, device="cpu"))

    with pytest.raises(PartError) as caught:
        compose(registry, **parts, settings=lambda _: RunSettings(batch_size=8, accumulate=4, device="cpu"))

    assert str(caught.value).startswith(
        "generator MLPGenerator cannot train on one sample, and with 14 samples and run.batch_size = 8 there is a part "
        "of one by run.accumulate; lower it: Expected more than 1 value"
    )


def test_a_misfit_is_reported_before_a_batch_of_one(registry: Registry) -> None:
    with pytest.raises(PartError, match=r"generator Wrapped gives shape \(2, 784\)"):
        compose(
            registry,
            data=lambda _: TensorData(torch.zeros(9, 1, 28, 28, dtype=torch.uint8)),
            settings=lambda _: RunSettings(batch_size=4, device="cpu"),
            generator=lambda part: Wrapped(part, lambda x: x.flatten(1)),
        )


class Tracking(nn.Module):
    """A linear layer with a buffer of each kind, moved by each pass: in place, by assignment, not saved."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)
        self.register_buffer("in_place", torch.zeros(()))
        self.register_buffer("assigned", torch.zeros(()))
        self.register_buffer("unsaved", torch.zeros(()), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        self.in_place += 1
        self.assigned = self.assigned + torch.rand(())
        self.unsaved.copy_(x.detach().mean())
        return self.layer(x)


class Remembering:
    """A loss and a penalty with a mean of what it has seen, which draws from every global generator."""

    def __init__(self) -> None:
        self.mean = torch.zeros(())
        self.calls = 0

    def discriminator(self, *seen: Any) -> Tensor:
        self.calls += 1
        self.mean += torch.rand(()) + random.random() + np.random.random()
        logits = seen[0].fake_logits if isinstance(seen[0], UpdateContext) else seen[1]
        return logits.square().mean()

    def generator(self, *seen: Any) -> Tensor:
        return self.discriminator(*seen, *seen)

    def state_dict(self) -> dict[str, Any]:
        return {"mean": self.mean, "calls": self.calls}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.mean, self.calls = state["mean"], state["calls"]


def test_the_trial_leaves_every_state_as_it_was(registry: Registry) -> None:
    generator, discriminator, loss, penalty = nn.Linear(4, 2), Tracking(), Remembering(), Remembering()
    parts = (generator, discriminator, loss, registry.load("noise", "normal")("cpu", z_dim=4))
    step = registry.load("step", "alternating")(*parts, {"remembering": penalty})
    buffers = {name: id(buffer) for name, buffer in discriminator.named_buffers()}
    before = copy.deepcopy(global_state(torch.device("cpu")))

    compose_updated(
        networks={"generator": generator, "discriminator": discriminator},
        step=step,
        loss=loss,
        noise=parts[3],
        regularizers={"remembering": penalty},
    )

    for part in (loss, penalty):
        assert (float(part.mean), part.calls) == (0, 0)
    assert {name: (id(buffer), float(buffer)) for name, buffer in discriminator.named_buffers()} == {
        name: (identity, 0) for name, identity in buffers.items()
    }
    after = global_state(torch.device("cpu"))
    assert torch.equal(after["torch"], before["torch"])
    assert after["python"] == before["python"]
    assert torch.equal(after["numpy"]["state"]["key"], before["numpy"]["state"]["key"])
    assert after["numpy"]["state"]["pos"] == before["numpy"]["state"]["pos"]
    assert all(weight.grad is None for network in (generator, discriminator) for weight in network.parameters())


class Forgetful(nn.Module):
    """A network that was not finished."""

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def test_an_attribute_error_is_one_sentence_that_names_the_part(registry: Registry) -> None:
    with pytest.raises(PartFailure) as caught:
        compose(registry, generator=lambda _: Forgetful())

    assert str(caught.value) == (
        "generator Forgetful fails on (2, 4): AttributeError: 'Forgetful' object has no attribute 'layers'"
    )
    cause = caught.value.__cause__
    assert isinstance(cause, AttributeError)
    assert any(frame.name == "forward" for frame in traceback.extract_tb(cause.__traceback__))


def test_a_penalty_that_fails_in_an_update_is_named_and_the_network_it_calls_is(registry: Registry) -> None:
    class Broken:
        def discriminator(self, context: UpdateContext) -> Tensor:
            return context.slopes

    class Reshaping:
        def discriminator(self, context: UpdateContext) -> Tensor:
            return context.discriminate(context.real.flatten(1)[:, :5]).mean()

    def compose_with(penalty: Any) -> Experiment:
        experiment = compose(registry)
        step = registry.load("step", "alternating")(
            *experiment.networks.values(), experiment.loss, experiment.noise, {"mine": penalty}
        )
        optimizers = {name: torch.optim.SGD(each.parameters()) for name, each in experiment.networks.items()}
        return evolve(experiment, step=step, optimizers=optimizers, regularizers={"mine": penalty})

    with pytest.raises(PartFailure) as failure:
        compose_with(Broken())
    assert str(failure.value) == (
        "regularizers.mine Broken fails on a small batch: AttributeError: "
        "'UpdateContext' object has no attribute 'slopes'"
    )
    with pytest.raises(PartError) as misfit:
        compose_with(Reshaping())
    assert str(misfit.value) == (
        "discriminator MLPDiscriminator fails on a small batch: "
        "mat1 and mat2 shapes cannot be multiplied (2x5 and 784x8)"
    )


def mean_of(network: nn.Module, change: Callable[[Tensor], Any] = same) -> Callable[..., Any]:
    """Return a loss: the mean of what a network gives, or what is made of it."""
    return lambda batch, random, *drawn: change(network(batch.samples).square().mean())


@pytest.mark.parametrize(
    ("updates", "message"),
    [
        (
            lambda ours, other: [Update("ours", mean_of(other))],
            "step Updates: the update of 'ours' has a loss that depends on no weight of its optimizer; "
            "name another optimizer",
        ),
        (
            lambda ours, other: [Update("ours", mean_of(ours, lambda loss: loss.detach()))],
            "step Updates: the update of 'ours' has a loss that depends on no weight of its optimizer; "
            "name another optimizer",
        ),
        (
            lambda ours, other: [Update("ours", mean_of(ours, lambda loss: loss.reshape(1)))],
            "step Updates: the update of 'ours' gives shape (1,); () is needed",
        ),
        (
            lambda ours, other: [Update("ours", mean_of(ours, lambda loss: 1.0))],
            "step Updates: the update of 'ours' gives float; it must give a tensor",
        ),
        (
            lambda ours, other: [Update("ours", mean_of(ours, lambda loss: (loss, {"slope": loss.reshape(1)})))],
            "step Updates: the update of 'ours': 'slope' gives shape (1,); () is needed",
        ),
        (
            lambda ours, other: [Update("ours", mean_of(ours)), Update("critic", mean_of(ours))],
            "step Updates updates 'critic', but the recipe has no [optimizer.critic]; optimizers are ours",
        ),
        (
            lambda ours, other: [],
            "step Updates makes no update of [optimizer.ours]; remove it, or choose another step",
        ),
        (lambda ours, other: [mean_of(ours)], "step Updates: updates must return ganfw.Update, not function"),
    ],
)
def test_an_update_that_does_not_fit_is_refused(updates: Any, message: str) -> None:
    ours, other = nn.Linear(2, 1), nn.Linear(2, 1)
    optimizers = {"ours": torch.optim.SGD(ours.parameters())}

    with pytest.raises(PartError) as caught:
        compose_updated(*updates(ours, other), networks={"ours": ours, "other": other}, optimizers=optimizers)
    assert str(caught.value) == message


def test_one_pass_is_found_out_in_the_trial_and_stands_in_no_state(registry: Registry) -> None:
    calls = []

    class Counting(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            calls.append(len(x))
            return super().forward(x)

    generator, discriminator = nn.Linear(4, 2), Counting(2, 1)
    noise = registry.load("noise", "normal")("cpu", z_dim=4)
    step = registry.load("step", "alternating")(generator, discriminator, Loss(same), noise)
    experiment = compose_updated(
        networks={"generator": generator, "discriminator": discriminator}, step=step, noise=noise
    )
    assert 2 * COUNT in calls  # two passes over the rows among other neighbours, or one over reals and fakes
    calls.clear()

    training = ganfw.train(experiment, steps=1)

    assert calls == [16, 8]  # the discriminator's update sees reals and fakes at once, the generator's only fakes
    assert "step" not in training.state_dict()["parts"]
    assert set(training.state_dict()["parts"]) == {
        "generator", "discriminator", "optimizer.generator", "optimizer.discriminator",
    }  # fmt: skip


class Distance(nn.Module):
    """The distance of a sample from its mean, which is no logit and yet meant."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(784))

    def forward(self, x: Tensor) -> Tensor:
        return (self.scale * (x.flatten(1) - x.mean())).square().mean(1, keepdim=True)


@pytest.mark.parametrize(
    ("last", "doubt"),
    [
        (nn.Sigmoid(), "gives values in [0, 1] with any weights: leave the sigmoid or softmax to the loss"),
        (nn.ReLU(), "gives no value below 0 with any weights: leave the ReLU before the loss out"),
        (nn.Identity(), None),
        (Distance(), None),
    ],
)
def test_what_can_be_no_logit_is_doubted(
    registry: Registry, capsys: pytest.CaptureFixture[str], last: nn.Module, doubt: str | None
) -> None:
    network = last if isinstance(last, Distance) else nn.Sequential(nn.Flatten(), nn.Linear(784, 1), last)
    before = [weight.clone() for weight in network.parameters()]
    tried = compose(registry, discriminator=lambda part: network)

    assert all(torch.equal(weight, old) for weight, old in zip(network.parameters(), before, strict=True))
    ganfw.train(tried, steps=1)
    told = f"discriminator Sequential {doubt}; it takes logits of both signs"
    assert tried.doubts == ([] if doubt is None else [told])
    assert (f"warning: {told}\n" in capsys.readouterr().err) == (doubt is not None)
