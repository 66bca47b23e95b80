"""Updates made by the engine, against the same updates written by hand."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganfw import Batch, Objective, Registry, RowRandom, Update
from ganfw.engine.random_streams import seeded_generator
from ganfw.engine.updates import Updater

ROWS = 12


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.Softplus(), nn.Linear(8, 1))


def batch_of(step: int = 0, rows: int = ROWS) -> Batch:
    return Batch(torch.rand(rows, 3, generator=torch.Generator().manual_seed(step)), step=step)


class Steps:
    """A step that makes the updates it is given."""

    def __init__(self, *updates: Update) -> None:
        self._updates = updates

    def updates(self) -> tuple[Update, ...]:
        return self._updates


def run(device: torch.device, updater: Updater, *updates: Update, step: int = 0, rows: int = ROWS) -> dict[str, Tensor]:
    return updater.run(Steps(*updates), updates, batch_of(step, rows), seeded_generator(device, 0, "test"))


def square(of: nn.Module) -> Callable[..., Tensor]:
    return lambda batch, random, *drawn: of(batch.samples).square().mean()


def gradients(*networks: nn.Module) -> list[Tensor | None]:
    return [weight.grad for each in networks for weight in each.parameters()]


def test_what_follows_an_update_sees_the_weights_that_after_has_changed(device: torch.device) -> None:
    weight, seen = nn.Parameter(torch.ones(())), []
    update = Update("critic", lambda batch, random: weight.square(), after=lambda: weight.clamp_(max=0.25))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    run(
        device,
        Updater({"critic": optimizer}, followers={"critic": [lambda: seen.append(float(weight.detach()))]}),
        update,
    )

    assert seen == [0.25]


def test_a_batch_of_fewer_rows_than_parts_is_split_in_rows(device: torch.device) -> None:
    sizes: list[int] = []

    def loss(batch: Batch, random: RowRandom) -> Tensor:
        sizes.append(len(batch))
        return weight.square()

    weight = nn.Parameter(torch.ones(()))
    run(device, Updater({"critic": torch.optim.SGD([weight])}, accumulate=5), Update("critic", loss), rows=2)

    assert sizes == [1, 1]


def test_updates_come_in_order_as_often_as_they_say_each_with_what_follows(device: torch.device) -> None:
    events: list[str] = []
    optimizers = {}

    def noting(name: str) -> Callable[..., Tensor]:
        weight = nn.Parameter(torch.ones(()))
        optimizers[name] = torch.optim.SGD([weight], lr=0.5)
        optimizers[name].register_step_post_hook(lambda *_: events.append(f"step {name}"))

        def loss(batch: Batch, random: RowRandom, number: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            events.append(f"loss {name}")
            return weight * number, {"seen": weight.detach().clone()}

        return loss

    def draw(batch: Batch, random: torch.Generator) -> tuple[Tensor, ...]:
        events.append("draw")
        return (torch.ones(()),)

    def observe(seen: Any) -> dict[str, Tensor]:
        events.append("observe")
        return {"weight": seen["seen"]}

    def after() -> None:
        assert not torch.is_grad_enabled()
        events.append("after")

    updates = (
        Update("critic", noting("critic"), draw=draw, times=2, after=after, observe=observe),
        Update("generator", noting("generator"), draw=draw),
    )
    updater = Updater(optimizers, followers={"generator": [lambda: events.append("follow")]})

    statistics = run(device, updater, *updates)

    critic = ["draw", "loss critic", "observe", "step critic", "after"]
    assert events == [*critic, *critic, "draw", "loss generator", "step generator", "follow"]
    assert {name: float(value) for name, value in statistics.items()} == {
        "loss/critic": 0.75,  # of 1 and 0.5
        "weight": 0.75,
        "loss/generator": 1,
        "seen": 1,
    }
    assert not any(value.requires_grad for value in statistics.values())


def test_a_lazy_update_is_made_in_the_first_step_and_then_in_every_so_many(device: torch.device) -> None:
    often, lazy = network(), network()
    optimizers = {"often": torch.optim.SGD(often.parameters()), "lazy": torch.optim.SGD(lazy.parameters())}
    updates = (Update("often", square(often)), Update("lazy", square(lazy), every_steps=3))

    told = [list(run(device, Updater(optimizers), *updates, step=step)) for step in range(7)]

    both, one = ["loss/often", "loss/lazy"], ["loss/often"]
    assert told == [both, one, one, both, one, one, both]


def test_a_step_may_drive_its_updates_itself(device: torch.device) -> None:
    net = network()
    update = Update("net", square(net), every_steps=2)

    class Twice(Steps):
        def drive(self, batch: Batch, random: torch.Generator, apply: Callable[..., None]) -> None:
            apply(update, batch, random)
            apply(update, batch, random)

    theirs = copy.deepcopy(net)
    updater = Updater({"net": torch.optim.SGD(net.parameters(), lr=0.1)})
    random = seeded_generator(device, 0)
    statistics = updater.run(Twice(update), (update,), batch_of(), random)
    assert updater.run(Twice(update), (update,), batch_of(step=1), random) == {}

    optimizer, losses = torch.optim.SGD(theirs.parameters(), lr=0.1), []
    for _ in range(2):
        optimizer.zero_grad()
        losses.append(theirs(batch_of().samples).square().mean())
        losses[-1].backward()
        optimizer.step()
    torch.testing.assert_close(list(net.parameters()), list(theirs.parameters()))
    torch.testing.assert_close(statistics["loss/net"], (losses[0] + losses[1]).detach() / 2)


def test_a_gradient_continues_through_what_is_drawn_to_the_weights_of_the_optimizer(device: torch.device) -> None:
    generator, critic = nn.Linear(2, 3), network()
    theirs, z = copy.deepcopy(generator), torch.rand(ROWS, 2)
    update = Update(
        "generator",
        lambda batch, random, fakes, factor: critic(fakes).square().mean() * factor,
        draw=lambda batch, random: (generator(z), 2.0),
    )
    run(device, Updater({"generator": torch.optim.SGD(generator.parameters(), lr=0.0)}), update)

    (2 * critic(theirs(z)).square().mean()).backward(inputs=list(theirs.parameters()))
    torch.testing.assert_close(gradients(generator), gradients(theirs), rtol=0, atol=1e-7)
    assert gradients(critic) == [None] * 4


def test_gradients_of_an_update_are_of_its_optimizer_alone_and_begin_at_zero(device: torch.device) -> None:
    net, other = network(), network()
    both = lambda batch, random: (net(batch.samples) + other(batch.samples)).square().mean()  # noqa: E731
    updater = Updater({"net": torch.optim.SGD(net.parameters(), lr=0.0)})
    for _ in range(2):
        run(device, updater, Update("net", both))

    first = gradients(net)
    assert gradients(other) == [None] * 4
    net.zero_grad()
    both(batch_of(), None).backward(inputs=list(net.parameters()))
    torch.testing.assert_close(first, gradients(net))


PENALTIES = {"gp": "gradient_penalty", "r1": "r1"}


@pytest.mark.parametrize("accumulate", [2, 3, 5, 12, 40])
@pytest.mark.parametrize("reuse_fakes", [False, True], ids=["fresh fakes", "reused fakes"])
def test_accumulated_parts_give_the_gradient_of_the_whole_batch(
    device: torch.device, registry: Registry, accumulate: int, reuse_fakes: bool
) -> None:
    """With penalties, one of which draws random numbers, and an augmentation that does, for rows of their own."""

    def noisy(samples: Tensor, random: RowRandom) -> Tensor:
        return samples + random.normal(3)

    def trained(parts: int) -> tuple[list[Tensor | None], dict[str, Tensor], Tensor]:
        torch.manual_seed(0)
        generator, discriminator = nn.Linear(4, 3).to(device), network().to(device)
        step = registry.load("step", "alternating")(
            generator,
            discriminator,
            registry.load("loss", "relativistic")(),
            registry.load("noise", "normal")(device, z_dim=4),
            {name: registry.load("regularizer", use)() for name, use in PENALTIES.items()},
            {"noisy": noisy},
            reuse_fakes=reuse_fakes,
        )
        optimizers = {
            "generator": torch.optim.SGD(generator.parameters(), lr=0.1),
            "discriminator": torch.optim.SGD(discriminator.parameters(), lr=0.1),
        }
        random, batch = seeded_generator(device, 0, "test"), Batch(batch_of().samples.to(device))
        statistics = Updater(optimizers, accumulate=parts).run(step, step.updates(), batch, random)
        return gradients(generator, discriminator), statistics, random.get_state()

    whole, parts = trained(1), trained(accumulate)

    torch.testing.assert_close(parts[0], whole[0], rtol=0, atol=1e-6)
    assert max(float(gradient.abs().max()) for gradient in whole[0] if gradient is not None) > 1e-3
    assert parts[1].keys() == whole[1].keys()
    for name, value in whole[1].items():
        torch.testing.assert_close(parts[1][name], value, rtol=1e-6, atol=1e-6)
    assert torch.equal(parts[2], whole[2])  # as many numbers are drawn


@pytest.mark.parametrize("limit", [1e-3, 0.1, 100.0])
def test_gradients_are_clipped_as_torch_clips_them(device: torch.device, limit: float) -> None:
    net, free = network(), network()
    theirs = copy.deepcopy(net)
    optimizers = {name: torch.optim.SGD(each.parameters(), lr=0.5) for name, each in (("net", net), ("free", free))}
    run(
        device, Updater(optimizers, clip_norms={"net": limit}), Update("net", square(net)), Update("free", square(free))
    )

    theirs(batch_of().samples).square().mean().backward()
    unclipped = gradients(copy.deepcopy(theirs))
    torch.testing.assert_close(gradients(free), [weight.grad for weight in theirs.parameters()])
    norm = torch.nn.utils.clip_grad_norm_(theirs.parameters(), limit)
    torch.optim.SGD(theirs.parameters(), lr=0.5).step()
    assert unclipped
    assert (norm > limit) == (limit < 100)
    torch.testing.assert_close(gradients(net), gradients(theirs), rtol=0, atol=1e-8)
    torch.testing.assert_close(list(net.parameters()), list(theirs.parameters()), rtol=0, atol=1e-8)


def test_what_follows_an_optimizer_is_called_once_for_each_of_its_steps(device: torch.device) -> None:
    net, calls = network(), []
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    followers = {"net": [lambda: calls.append(float(net[0].bias[0].detach())), lambda: None]}
    updater = Updater({"net": optimizer}, accumulate=4, followers=followers)

    run(device, updater, Update("net", square(net), times=3))

    assert len(calls) == 3
    assert len(set(calls)) == 3
    assert calls[-1] == net[0].bias[0].item()


def test_an_augmentation_observes_each_part_of_the_batch_and_its_statistics_are_means_over_rows(
    device: torch.device,
) -> None:
    class Watching:
        def __init__(self) -> None:
            self.seen: list[int] = []

        def __call__(self, samples: Tensor, random: RowRandom) -> Tensor:
            return samples

        def observe(self, real_logits: Tensor) -> dict[str, Tensor]:
            self.seen.append(len(real_logits))
            return {"rows": torch.tensor(float(len(real_logits)))}

    class Difference:
        def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
            return (fake_logits - real_logits).mean()

        def generator(self, fake_logits: Tensor) -> Tensor:
            return -fake_logits.mean()

    watching, discriminator = Watching(), network()
    objective = Objective(nn.Identity(), discriminator, Difference(), None, {"watching": watching})
    update = Update(
        "discriminator",
        objective.of_discriminator,
        draw=lambda batch, random: (*objective.due("discriminator", batch), torch.rand(len(batch), 3)),
        observe=objective.observe,
    )
    updater = Updater({"discriminator": torch.optim.SGD(discriminator.parameters())}, accumulate=3)

    statistics = run(device, updater, update, rows=10)

    assert watching.seen == [3, 3, 4]
    assert float(statistics["watching/rows"]) == pytest.approx((3 * 3 + 3 * 3 + 4 * 4) / 10)
