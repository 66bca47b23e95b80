"""What each network minimises, through an experiment composed by hand and by itself."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

import ganfw
from ganfw import Batch, InputError, Objective, Registry, RunSettings, TensorData, UpdateContext
from ganfw.engine.random_streams import seeded_generator
from ganfw.training.objective import is_relativistic


class Noted:
    """A regularizer that notes what it sees."""

    def __init__(self, every_steps: int = 1) -> None:
        self.every_steps = every_steps
        self.seen: list[tuple[str, UpdateContext]] = []
        self.constrained: list[nn.Module] = []

    def discriminator(self, context: UpdateContext) -> Tensor:
        self.seen.append(("discriminator", context))
        return context.real_logits.mean() * 0 + 2.0

    def generator(self, context: UpdateContext) -> Tensor:
        self.seen.append(("generator", context))
        return context.fake_logits.mean() * 0 + 0.5

    def constrain(self, discriminator: nn.Module) -> None:
        assert not torch.is_grad_enabled()
        self.constrained.append(discriminator)


class Shift:
    """An augmentation that adds 1, and notes the logits it is told of."""

    def __init__(self) -> None:
        self.told: list[Tensor] = []

    def __call__(self, samples: Tensor, draws: Any) -> Tensor:
        return samples + 1

    def observe(self, real_logits: Tensor) -> dict[str, Tensor]:
        self.told.append(real_logits)
        return {"size": torch.tensor(float(len(real_logits)))}


class Plain:
    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return fake_logits.mean() - real_logits.mean()

    def generator(self, fake_logits: Tensor) -> Tensor:
        return -fake_logits.mean()


def networks() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    return nn.Linear(3, 2), nn.Sequential(nn.Linear(2, 4), nn.LeakyReLU(0.2), nn.Linear(4, 1))


def random() -> torch.Generator:
    return seeded_generator("cpu", 0, "test")


def test_a_loss_is_relativistic_when_its_generator_asks_for_real_logits(registry: Registry) -> None:
    relativistic = {offer.part.name for offer in registry.parts("loss") if is_relativistic(offer.load()())}

    assert relativistic == {"relativistic"}


def test_terms_are_added_and_told(registry: Registry) -> None:
    generator, discriminator = networks()
    objective = Objective(generator, discriminator, Plain(), {"noted": Noted()})
    bare = Objective(generator, discriminator, Plain())
    batch, fake = Batch(torch.rand(5, 2)), torch.rand(5, 2)

    assert bare.statistics == {}
    for of, term in (("of_discriminator", 2.0), ("of_generator", 0.5)):
        with_term, without = (getattr(each, of)(batch, fake, random()) for each in (objective, bare))
        torch.testing.assert_close(with_term, without + term)
    assert {name: (float(value), value.requires_grad) for name, value in objective.statistics.items()} == {
        "noted/discriminator": (2.0, False),
        "noted/generator": (0.5, False),
    }


def test_a_lazy_term_is_left_out_and_then_multiplied() -> None:
    objective = Objective(*networks(), Plain(), {"noted": Noted(every_steps=3)})
    bare = Objective(*networks(), Plain())
    samples, fake = torch.rand(5, 2), torch.rand(5, 2)
    terms, told = [], []
    for step in range(7):
        batch = Batch(samples, step=step)
        loss = objective.of_discriminator(batch, fake, random()) - bare.of_discriminator(batch, fake, random())
        terms.append(round(loss.item(), 5))
        told.append(float(objective.statistics["noted/discriminator"]))

    assert terms == told == [6, 0, 0, 6, 0, 0, 6]


def test_regularizers_see_what_the_discriminator_saw(registry: Registry) -> None:
    generator, discriminator = networks()
    noted, shift = Noted(), Shift()
    loss = registry.load("loss", "relativistic")()
    objective = Objective(generator, discriminator, loss, {"noted": noted}, {"shift": shift})
    batch = Batch(torch.rand(5, 2), torch.arange(5))
    fake = generator(torch.rand(5, 3))

    objective.of_discriminator(batch, fake.detach(), random())
    objective.of_generator(batch, fake, random())

    assert [network for network, _ in noted.seen] == ["discriminator", "generator"]
    for _, context in noted.seen:
        torch.testing.assert_close(context.real, batch.samples + 1)
        torch.testing.assert_close(context.fake, fake + 1)
        torch.testing.assert_close(context.real_logits, discriminator(batch.samples + 1))
        torch.testing.assert_close(context.fake_logits, discriminator(fake + 1))
        torch.testing.assert_close(context.discriminate(context.fake), context.fake_logits)
        assert context.labels is batch.labels
        assert (context.generator, context.discriminator) == (generator, discriminator)
        assert context.random.normal(2).shape == (5, 2)
    assert [tuple(logits.shape) for logits in shift.told] == [(5, 1)]  # in the discriminator's update alone
    assert not shift.told[0].requires_grad
    assert objective.statistics["shift/size"] == 5
    torch.testing.assert_close(shift.told[0], discriminator(batch.samples + 1).detach())


def test_weights_are_constrained_without_gradients() -> None:
    generator, discriminator = networks()
    noted = Noted()
    Objective(generator, discriminator, Plain(), {"noted": noted}).constrain()

    assert noted.constrained == [discriminator]
    assert torch.is_grad_enabled()


def test_without_a_relativistic_loss_real_logits_are_computed_for_the_discriminator_alone() -> None:
    noted = Noted()
    objective = Objective(*networks(), Plain(), {"noted": noted})
    objective.of_generator(Batch(torch.rand(5, 2)), torch.rand(5, 2), random())

    assert noted.seen[0][1].real_logits is None


def test_the_relativistic_generator_gets_real_logits_without_gradient(registry: Registry) -> None:
    generator, discriminator = networks()
    objective = Objective(generator, discriminator, registry.load("loss", "relativistic")())
    batch, z = Batch(torch.rand(5, 2)), torch.rand(5, 3)

    loss = objective.of_generator(batch, generator(z), random())
    loss.backward()
    through_fakes = [weight.grad.clone() for weight in discriminator.parameters()]

    twins = copy.deepcopy((generator, discriminator))
    for network in twins:
        network.zero_grad()
    expected = softplus(-(twins[1](twins[0](z)) - twins[1](batch.samples).detach())).mean()
    expected.backward()
    torch.testing.assert_close(loss, expected)
    for ours, theirs in zip(through_fakes, twins[1].parameters(), strict=True):
        torch.testing.assert_close(ours, theirs.grad)


@pytest.mark.parametrize("loss", ["bce", "relativistic"])
def test_one_pass_over_both_gives_what_two_passes_give(registry: Registry, loss: str) -> None:
    generator, discriminator = networks()
    batch, fake = Batch(torch.rand(6, 2)), torch.rand(6, 2)
    parts = ({"r1": registry.load("regularizer", "r1")()}, {"shift": Shift()})
    results = []
    for one_pass in (True, False):
        discriminator.zero_grad()
        objective = Objective(generator, discriminator, registry.load("loss", loss)(), *parts)
        objective.load_state_dict({"one_pass": one_pass})
        value = objective.of_discriminator(batch, fake, random())
        value.backward()
        results.append([value.detach(), *[weight.grad.clone() for weight in discriminator.parameters()]])

    for one, two in zip(*results, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-6)


def test_what_was_found_out_about_the_discriminator_is_state() -> None:
    generator, discriminator = networks()
    mixing = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    for network, expected in ((discriminator, True), (mixing, False)):
        objective = Objective(generator, network, Plain())
        assert objective.state_dict() == {"one_pass": None}
        objective.of_discriminator(Batch(torch.rand(5, 2)), torch.rand(5, 2), random())
        assert objective.state_dict() == {"one_pass": expected}


@pytest.mark.parametrize(
    ("kind", "parts"), [("a regularizer", ({"loss": Noted()}, {})), ("an augmentation", ({}, {"loss": Shift()}))]
)
def test_what_tells_cannot_take_the_name_of_the_losses(kind: str, parts: tuple[Any, Any]) -> None:
    with pytest.raises(InputError) as caught:
        Objective(*networks(), Plain(), *parts)
    assert str(caught.value) == f"{kind} cannot be named 'loss', for what it tells stands beside loss/discriminator"


def test_an_experiment_composed_by_hand_trains_with_everything(registry: Registry) -> None:
    torch.manual_seed(0)
    generator, discriminator = networks()
    loss = registry.load("loss", "relativistic")()
    regularizers = {"r1": registry.load("regularizer", "r1")(every_steps=2), "noted": Noted()}
    augmentations = {"shift": Shift()}
    noise = registry.load("noise", "normal")("cpu", z_dim=3)
    optimizers = {
        name: registry.load("optimizer", "sgd")(network.parameters(), lr=0.1)
        for name, network in (("generator", generator), ("discriminator", discriminator))
    }
    experiment = ganfw.Experiment(
        data=TensorData(torch.randn(50, 2)),
        noise=noise,
        generator=generator,
        discriminator=discriminator,
        loss=loss,
        optimizers=optimizers,
        step=registry.load("step", "alternating")(
            generator, discriminator, loss, noise, *optimizers.values(), regularizers, augmentations
        ),
        regularizers=regularizers,
        augmentations=augmentations,
        schedules={"generator": registry.load("schedule", "cosine")()},
        averaging=registry.load("averaging", "ema")(generator, noise),
        settings=RunSettings(batch_size=10, device="cpu"),
    )
    tried = len(regularizers["noted"].seen)

    training = ganfw.train(experiment, steps=4)

    assert tried == 2  # the contract: once for each network
    assert [network for network, _ in regularizers["noted"].seen[tried:]] == ["discriminator", "generator"] * 4
    assert regularizers["noted"].constrained == [discriminator] * 4
    assert len(augmentations["shift"].told) == 4
    assert experiment.averaging.updates == 4
    assert optimizers["generator"].param_groups[0]["lr"] == pytest.approx(0.1 * (1 - 0.5**0.5) / 2)
    assert list(training.means) == [
        "loss/discriminator",
        "loss/generator",
        "shift/size",
        "r1/discriminator",
        "noted/discriminator",
        "noted/generator",
    ]
    assert training.means["noted/discriminator"] == 2.0
    assert training.means["r1/discriminator"] > 0
