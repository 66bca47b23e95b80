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

    def __call__(self, samples: Tensor, random: Any) -> Tensor:
        return samples + 1

    def observe(self, real_logits: Tensor) -> dict[str, Tensor]:
        self.told.append(real_logits)
        return {"size": torch.tensor(float(len(real_logits)), device=real_logits.device)}


class Plain:
    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return fake_logits.mean() - real_logits.mean()

    def generator(self, fake_logits: Tensor) -> Tensor:
        return -fake_logits.mean()


def networks() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    return nn.Linear(3, 2), nn.Sequential(nn.Linear(2, 4), nn.LeakyReLU(0.2), nn.Linear(4, 1))


def of(
    device: torch.device, objective: Objective, network: str, batch: Batch, fake: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss of a network as its update computes it, and the statistics."""
    random = batch.row_random(seeded_generator(device, 0, "test"))
    of_network = objective.of_discriminator if network == "discriminator" else objective.of_generator
    loss, seen = of_network(batch, random, *objective.due(network, batch), fake=fake)
    return loss, objective.observe(seen) if network == "discriminator" else seen


def test_a_loss_is_relativistic_when_its_generator_asks_for_real_logits(registry: Registry) -> None:
    relativistic = {offer.part.name for offer in registry.parts("loss") if is_relativistic(offer.load()())}

    assert relativistic == {"relativistic"}


def test_terms_are_added_and_reported(device: torch.device, registry: Registry) -> None:
    generator, discriminator = networks()
    objective = Objective(generator, discriminator, Plain(), {"noted": Noted()})
    bare = Objective(generator, discriminator, Plain())
    batch, fake = Batch(torch.rand(5, 2)), torch.rand(5, 2)

    for network, term in (("discriminator", 2.0), ("generator", 0.5)):
        (loss, told), (without, nothing) = (of(device, each, network, batch, fake) for each in (objective, bare))
        torch.testing.assert_close(loss, without + term)
        assert nothing == {}
        assert {name: (float(value), value.requires_grad) for name, value in told.items()} == {
            f"noted/{network}": (term, False)
        }


def test_a_lazy_term_is_left_out_and_then_multiplied_and_reported_as_it_is(device: torch.device) -> None:
    objective = Objective(*networks(), Plain(), {"noted": Noted(every_steps=3)})
    bare = Objective(*networks(), Plain())
    samples, fake = torch.rand(5, 2), torch.rand(5, 2)
    terms, told = [], []
    for step in range(7):
        batch = Batch(samples, step=step)
        loss, statistics = of(device, objective, "discriminator", batch, fake)
        terms.append(round((loss - of(device, bare, "discriminator", batch, fake)[0]).item(), 5))
        told.append([float(value) for value in statistics.values()])

    assert terms == [6, 0, 0, 6, 0, 0, 6]
    assert told == [[2], [], [], [2], [], [], [2]]


def test_the_step_goes_to_penalties_in_a_tensor(device: torch.device) -> None:
    noted = Noted()
    objective = Objective(*networks(), Plain(), {"noted": noted})
    of(device, objective, "discriminator", Batch(torch.rand(5, 2), step=7, total_steps=9), torch.rand(5, 2))

    context = noted.seen[0][1]
    assert (context.step.shape, context.step.dtype, int(context.step)) == ((), torch.int64, 7)
    assert context.total_steps == 9


def test_regularizers_see_what_the_discriminator_saw(device: torch.device, registry: Registry) -> None:
    generator, discriminator = networks()
    noted, shift = Noted(), Shift()
    loss = registry.load("loss", "relativistic")()
    objective = Objective(generator, discriminator, loss, {"noted": noted}, {"shift": shift})
    batch = Batch(torch.rand(5, 2), torch.arange(5))
    fake = generator(torch.rand(5, 3))

    _, statistics = of(device, objective, "discriminator", batch, fake)
    of(device, objective, "generator", batch, fake)

    assert [network for network, _ in noted.seen] == ["discriminator", "generator"]
    for _, context in noted.seen:
        torch.testing.assert_close(context.real, batch.samples + 1)
        torch.testing.assert_close(context.fake, fake + 1)
        torch.testing.assert_close(context.real_logits, discriminator(batch.samples + 1))
        torch.testing.assert_close(context.fake_logits, discriminator(fake + 1))
        torch.testing.assert_close(context.discriminate(context.fake), context.fake_logits)
        assert context.labels is batch.labels
        assert context.networks == {"generator": generator, "discriminator": discriminator}
        assert context.random.normal(2).shape == (5, 2)
    assert [tuple(logits.shape) for logits in shift.told] == [(5, 1)]  # in the discriminator's update alone
    assert not shift.told[0].requires_grad
    assert statistics["shift/size"] == 5
    torch.testing.assert_close(shift.told[0], discriminator(batch.samples + 1).detach())


def test_weights_are_constrained_without_gradients() -> None:
    generator, discriminator = networks()
    noted = Noted()
    Objective(generator, discriminator, Plain(), {"noted": noted}).constrain()

    assert noted.constrained == [discriminator]
    assert torch.is_grad_enabled()


def test_without_a_relativistic_loss_real_logits_are_computed_for_the_discriminator_alone(device: torch.device) -> None:
    noted = Noted()
    objective = Objective(*networks(), Plain(), {"noted": noted})
    of(device, objective, "generator", Batch(torch.rand(5, 2)), torch.rand(5, 2))

    assert noted.seen[0][1].real_logits is None


def test_the_relativistic_generator_gets_real_logits_without_gradient(device: torch.device, registry: Registry) -> None:
    generator, discriminator = networks()
    objective = Objective(generator, discriminator, registry.load("loss", "relativistic")())
    batch, z = Batch(torch.rand(5, 2)), torch.rand(5, 3)

    loss, _ = of(device, objective, "generator", batch, generator(z))
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
def test_one_pass_over_both_gives_what_two_passes_give(
    device: torch.device, registry: Registry, loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator, discriminator = networks()
    batch, fake = Batch(torch.rand(6, 2)), torch.rand(6, 2)
    parts = ({"r1": registry.load("regularizer", "r1")()}, {"shift": Shift()})
    results = []
    for one_pass in (True, False):
        discriminator.zero_grad()
        monkeypatch.setattr(
            "ganfw.training.objective.treats_rows_independently", lambda *args, found=one_pass, **named: found
        )
        objective = Objective(generator, discriminator, registry.load("loss", loss)(), *parts)
        value, _ = of(device, objective, "discriminator", batch, fake)
        value.backward()
        results.append([value.detach(), *[weight.grad.clone() for weight in discriminator.parameters()]])

    for one, two in zip(*results, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-6)


def test_what_is_found_out_about_the_discriminator_is_found_once(
    device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []
    monkeypatch.setattr(
        "ganfw.training.objective.treats_rows_independently", lambda *args, **named: bool(tried.append(args))
    )
    objective = Objective(*networks(), Plain())
    for _ in range(3):
        of(device, objective, "discriminator", Batch(torch.rand(5, 2)), torch.rand(5, 2))

    assert len(tried) == 1
    assert not hasattr(objective, "state_dict")


class Joint(nn.Module):
    """A discriminator of a sample, its noise and its class, with a logit of each class too."""

    def __init__(self) -> None:
        super().__init__()
        self.of_sample, self.of_z, self.classes = nn.Linear(2, 1), nn.Linear(3, 1), nn.Linear(2, 4)

    def forward(self, samples: Tensor, z: Tensor, labels: Tensor) -> dict[str, Tensor]:
        logits = self.of_sample(samples) + self.of_z(z) + labels[:, None]
        return {"logits": logits, "classes": self.classes(samples)}


def test_networks_are_given_what_they_name_and_outputs_stand_by_name(device: torch.device) -> None:
    torch.manual_seed(0)
    noted, discriminator, generator = Noted(), Joint(), nn.Linear(3, 2)
    encoder = nn.Linear(2, 3)
    everyone = {"generator": generator, "discriminator": discriminator, "encoder": encoder}
    objective = Objective(generator, discriminator, Plain(), {"noted": noted}, None, everyone)
    batch, z = Batch(torch.rand(5, 2), torch.arange(5)), torch.rand(5, 3)
    random = batch.row_random(seeded_generator(device, 0))

    for network in ("discriminator", "generator"):
        getattr(objective, f"of_{network}")(batch, random, *objective.due(network, batch), z)

    for network, context in noted.seen:
        assert context.networks is everyone
        assert context.z is z
        torch.testing.assert_close(context.generate(z), generator(z))
        torch.testing.assert_close(context.fake_outputs, discriminator(generator(z), z, batch.labels))
        torch.testing.assert_close(context.discriminate(context.fake), context.fake_logits)
        expected = discriminator(batch.samples, z, batch.labels) if network == "discriminator" else None
        torch.testing.assert_close(context.real_outputs, expected)


@pytest.mark.parametrize(
    ("kind", "parts"), [("a regularizer", ({"loss": Noted()}, {})), ("an augmentation", ({}, {"loss": Shift()}))]
)
def test_what_tells_cannot_take_the_name_of_the_losses(kind: str, parts: tuple[Any, Any]) -> None:
    with pytest.raises(InputError) as caught:
        Objective(*networks(), Plain(), *parts)
    assert (
        str(caught.value)
        == f"{kind} cannot be named 'loss', because what it logs stands beside loss/discriminator; rename it"
    )


def test_an_experiment_composed_by_hand_trains_with_everything(device: torch.device, registry: Registry) -> None:
    torch.manual_seed(0)
    generator, discriminator = (network.to(device) for network in networks())
    loss = registry.load("loss", "relativistic")()
    regularizers = {"r1": registry.load("regularizer", "r1")(every_steps=2), "noted": Noted()}
    augmentations = {"shift": Shift()}
    noise = registry.load("noise", "normal")(device, z_dim=3)
    optimizers = {
        name: registry.load("optimizer", "sgd")(network.parameters(), lr=0.1)
        for name, network in (("generator", generator), ("discriminator", discriminator))
    }
    experiment = ganfw.Experiment(
        data=TensorData(torch.randn(50, 2)),
        noise=noise,
        networks={"generator": generator, "discriminator": discriminator},
        loss=loss,
        optimizers=optimizers,
        step=registry.load("step", "alternating")(generator, discriminator, loss, noise, regularizers, augmentations),
        regularizers=regularizers,
        augmentations=augmentations,
        schedules={"generator": registry.load("schedule", "cosine")()},
        averaging={"mean": registry.load("averaging", "ema")({"generator": generator}, noise)},
        settings=RunSettings(batch_size=10, device=str(device)),
    )
    tried = len(regularizers["noted"].seen)

    training = ganfw.train(experiment, steps=4)

    assert tried == 2  # the contract: once for each network
    assert [network for network, _ in regularizers["noted"].seen[tried:]] == ["discriminator", "generator"] * 4
    assert regularizers["noted"].constrained == [discriminator] * 4
    assert len(augmentations["shift"].told) == 1 + 4
    assert experiment.averaging["mean"].updates == 4
    assert optimizers["generator"].param_groups[0]["lr"] == pytest.approx(0.1 * (1 - 0.5**0.5) / 2)
    assert list(training.means) == [
        "loss/discriminator",
        "loss/generator",
        "r1/discriminator",
        "noted/discriminator",
        "shift/size",
        "noted/generator",
    ]
    assert training.means["noted/discriminator"] == 2.0
    assert training.means["r1/discriminator"] > 0
