"""The step against the same GAN update written in plain PyTorch, from the definition and without ganfw."""

import copy
from importlib.metadata import version

import pytest
import torch
from torch import Tensor, nn

import ganfw
from ganfw import Batch, Registry, RowRandom
from ganfw.engine.random_streams import seeded_generator
from ganfw.engine.updates import Updater

HIDDEN = 128
LR = 1e-5


def reference_generator() -> nn.Module:
    def block(n_in: int, n_out: int) -> list[nn.Module]:
        return [nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out), nn.ReLU(inplace=True)]

    h = HIDDEN
    return nn.Sequential(
        *block(64, h), *block(h, 2 * h), *block(2 * h, 4 * h), *block(4 * h, 8 * h), nn.Linear(8 * h, 784), nn.Sigmoid()
    )


def reference_discriminator() -> nn.Module:
    def block(n_in: int, n_out: int) -> list[nn.Module]:
        return [nn.Linear(n_in, n_out), nn.LeakyReLU(0.2)]

    h = HIDDEN
    return nn.Sequential(*block(784, 4 * h), *block(4 * h, 2 * h), *block(2 * h, h), nn.Linear(h, 1))


class ReferenceStep:
    """The textbook update: whole graphs, both networks' gradients computed, nothing shared or skipped."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module, d_steps: int, g_steps: int) -> None:
        self.generator, self.discriminator = generator, discriminator
        self.generator_optimizer = torch.optim.Adam(generator.parameters(), lr=LR, fused=False, foreach=False)
        self.discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), lr=LR, fused=False, foreach=False)
        self.d_steps, self.g_steps = d_steps, g_steps
        self.criterion = nn.BCEWithLogitsLoss()

    def __call__(self, images: Tensor, noises: list[Tensor]) -> tuple[float, float]:
        real = images.reshape(len(images), 784)
        noises = list(noises)
        d_losses, g_losses = [], []
        for _ in range(self.d_steps):
            self.discriminator_optimizer.zero_grad()
            fake_logits = self.discriminator(self.generator(noises.pop(0)).detach())
            real_logits = self.discriminator(real)
            fake_loss = self.criterion(fake_logits, torch.zeros(len(real), 1, device=real.device))
            real_loss = self.criterion(real_logits, torch.ones(len(real), 1, device=real.device))
            loss = (fake_loss + real_loss) / 2
            loss.backward()
            self.discriminator_optimizer.step()
            d_losses.append(loss.item())
        for _ in range(self.g_steps):
            self.generator_optimizer.zero_grad()
            logits = self.discriminator(self.generator(noises.pop(0)))
            loss = self.criterion(logits, torch.ones(len(real), 1, device=real.device))
            loss.backward()
            self.generator_optimizer.step()
            g_losses.append(loss.item())
        return sum(d_losses) / len(d_losses), sum(g_losses) / len(g_losses)


@pytest.mark.parametrize(("d_steps", "g_steps"), [(1, 1), (1, 3), (3, 1)])
@pytest.mark.parametrize("batch_size", [128, 96])
def test_step_equals_plain_pytorch(
    device: torch.device, registry: Registry, d_steps: int, g_steps: int, batch_size: int
) -> None:
    torch.manual_seed(0)
    noise = registry.load("noise", "normal")(device, z_dim=64)
    generator = registry.load("generator", "mlp")(64, (1, 28, 28), hidden_dim=HIDDEN).to(device)
    discriminator = registry.load("discriminator", "mlp")((1, 28, 28), hidden_dim=HIDDEN).to(device)
    loss = registry.load("loss", "bce")()
    adam = registry.load("optimizer", "adam")
    optimizers = {
        "generator": adam(generator.parameters(), lr=LR),
        "discriminator": adam(discriminator.parameters(), lr=LR),
    }
    step = registry.load("step", "alternating")(
        generator,
        discriminator,
        loss,
        noise,
        discriminator_steps=d_steps,
        generator_steps=g_steps,
    )
    reference = ReferenceStep(reference_generator().to(device), reference_discriminator().to(device), d_steps, g_steps)
    random = seeded_generator(device, 0, "test")
    for _ in range(3):  # each time from the same weights and moments: rounding would grow from step to step
        for theirs, ours in ((reference.generator, generator), (reference.discriminator, discriminator)):
            values = list(ours.state_dict().values())
            assert [value.shape for value in values] == [value.shape for value in theirs.state_dict().values()]
            theirs.load_state_dict(dict(zip(theirs.state_dict(), values, strict=True)))
        for theirs, ours in (
            (reference.generator_optimizer, optimizers["generator"]),
            (reference.discriminator_optimizer, optimizers["discriminator"]),
        ):
            theirs.load_state_dict({**theirs.state_dict(), "state": copy.deepcopy(ours.state_dict()["state"])})
        images = torch.rand(batch_size, 1, 28, 28, device=device)
        replay = torch.Generator(device).set_state(random.get_state())
        noises = [noise(batch_size, replay) for _ in range(d_steps + g_steps)]

        statistics = Updater(optimizers).run(step, step.updates(), Batch(images), random)
        d_loss, g_loss = reference(images, noises)

        assert float(statistics["loss/discriminator"]) == pytest.approx(d_loss, abs=1e-6)
        assert float(statistics["loss/generator"]) == pytest.approx(g_loss, abs=1e-6)
        for theirs, ours in ((reference.generator, generator), (reference.discriminator, discriminator)):
            for expected, actual in zip(theirs.state_dict().values(), ours.state_dict().values(), strict=True):
                torch.testing.assert_close(actual, expected, rtol=0, atol=1e-6)


def test_reused_fakes_equal_one_generator_pass_in_plain_pytorch(device: torch.device, registry: Registry) -> None:
    torch.manual_seed(0)
    noise = registry.load("noise", "normal")(device, z_dim=64)
    generator = registry.load("generator", "mlp")(64, (1, 28, 28), hidden_dim=HIDDEN).to(device)
    discriminator = registry.load("discriminator", "mlp")((1, 28, 28), hidden_dim=HIDDEN).to(device)
    sgd = registry.load("optimizer", "sgd")
    ours = {
        "generator": sgd(generator.parameters(), lr=0.1),
        "discriminator": sgd(discriminator.parameters(), lr=0.1),
    }
    networks = [copy.deepcopy(generator), copy.deepcopy(discriminator)]
    step = registry.load("step", "alternating")(
        generator,
        discriminator,
        registry.load("loss", "bce")(),
        noise,
        reuse_fakes=True,
    )
    images = torch.rand(8, 1, 28, 28, device=device)
    Updater(ours).run(step, step.updates(), Batch(images), seeded_generator(device, 0))

    optimizers = [torch.optim.SGD(network.parameters(), lr=0.1) for network in networks]
    fake = networks[0](noise(8, seeded_generator(device, 0)))
    loss = (nn.functional.softplus(networks[1](fake.detach())) + nn.functional.softplus(-networks[1](images))).mean()
    (loss / 2).backward()
    optimizers[1].step()
    nn.functional.softplus(-networks[1](fake)).mean().backward()
    optimizers[0].step()

    for theirs, network in zip(networks, (generator, discriminator), strict=True):
        for expected, actual in zip(theirs.state_dict().values(), network.state_dict().values(), strict=True):
            torch.testing.assert_close(actual, expected, rtol=0, atol=1e-6)


def test_reused_fakes_go_with_one_update_each(registry: Registry, tiny: ganfw.Recipe) -> None:
    recipe = tiny.with_overrides(["step.reuse_fakes=true", "step.generator_steps=2"])
    with pytest.raises(ganfw.InputError) as caught:
        ganfw.assemble(ganfw.resolve(recipe, registry))
    assert str(caught.value) == (
        f"step 'alternating' (ganfw {version('ganfw')}): reuse_fakes needs discriminator_steps = 1 and "
        "generator_steps = 1; set both to 1, or reuse_fakes = false"
    )


class Flip:
    """Mirrors rows, each with probability 1/2."""

    def __call__(self, samples: Tensor, random: RowRandom) -> Tensor:
        return torch.where(random.uniform(1, 1, 1) < 0.5, samples.flip(-1), samples)


def flipped(samples: Tensor, random: torch.Generator) -> Tensor:
    mirrored = torch.rand(len(samples), generator=random, device=samples.device) < 0.5
    return torch.stack([x.flip(-1) if mirror else x for x, mirror in zip(samples, mirrored, strict=True)])


def squared_slopes(discriminator: nn.Module, samples: Tensor) -> Tensor:
    """Return the squared norm of the gradient at each sample, one sample at a time."""
    squares = []
    for sample in samples:
        x = sample.detach().unsqueeze(0).requires_grad_()
        (gradient,) = torch.autograd.grad(discriminator(x).squeeze(), x, create_graph=True)
        squares.append((gradient**2).sum())
    return torch.stack(squares)


def test_step_with_everything_equals_plain_pytorch(device: torch.device, registry: Registry) -> None:
    """Relativistic loss, R1 every second step, a penalty in every step, flips, and a mean of weights; two D updates."""
    torch.manual_seed(0)
    noise = registry.load("noise", "normal")(device, z_dim=8)
    generator = registry.load("generator", "mlp")(8, (1, 28, 28), hidden_dim=4).to(device)
    discriminator = nn.Sequential(nn.Flatten(), nn.Linear(784, 16), nn.Softplus(), nn.Linear(16, 1)).to(device)
    theirs_g, theirs_d, mean = (copy.deepcopy(network) for network in (generator, discriminator, generator))
    sgd = registry.load("optimizer", "sgd")
    optimizers = {
        name: sgd(network.parameters(), lr=0.05)
        for name, network in (("generator", generator), ("discriminator", discriminator))
    }
    average = registry.load("averaging", "ema")({"generator": generator}, noise, decay=0.15)
    updater = Updater(optimizers, followers={"generator": [average.update]})
    step = registry.load("step", "alternating")(
        generator,
        discriminator,
        registry.load("loss", "relativistic")(),
        noise,
        {
            "r1": registry.load("regularizer", "r1")(weight=0.5, every_steps=2),
            "gp": registry.load("regularizer", "gradient_penalty")(weight=0.1),
        },
        {"flip": Flip()},
        discriminator_steps=2,
    )
    theirs = [torch.optim.SGD(network.parameters(), lr=0.05) for network in (theirs_g, theirs_d)]
    random = seeded_generator(device, 0, "test")
    for number in range(3):
        images = torch.rand(6, 1, 28, 28, device=device)
        replay = torch.Generator(device).set_state(random.get_state())
        statistics = updater.run(step, step.updates(), Batch(images, step=number), random)

        d_losses, r1s, gps = [], [], []
        for _ in range(2):
            fake = theirs_g(torch.randn(6, 8, generator=replay, device=device)).detach()
            real, fake = flipped(images, replay), flipped(fake, replay)
            loss = nn.functional.softplus(theirs_d(fake) - theirs_d(real)).mean()
            if number % 2 == 0:
                r1 = 0.5 / 2 * squared_slopes(theirs_d, real).mean()
                loss = loss + 2 * r1
                r1s.append(r1.item())
            t = torch.rand(6, 1, 1, 1, generator=replay, device=device)
            gp = 0.1 * ((squared_slopes(theirs_d, t * real + (1 - t) * fake).sqrt() - 1) ** 2).mean()
            loss = loss + gp
            gps.append(gp.item())
            theirs[1].zero_grad()
            loss.backward()
            theirs[1].step()
            d_losses.append(loss.item())
        fake = flipped(theirs_g(torch.randn(6, 8, generator=replay, device=device)), replay)
        real = flipped(images, replay)
        loss = nn.functional.softplus(theirs_d(real).detach() - theirs_d(fake)).mean()
        theirs[0].zero_grad()
        loss.backward()
        theirs[0].step()
        decay = min(0.15, (number + 1) / (number + 10))
        with torch.no_grad():
            for old, new in zip(mean.parameters(), theirs_g.parameters(), strict=True):
                old.copy_(decay * old + (1 - decay) * new)

        expected = {
            "loss/discriminator": sum(d_losses) / 2,
            "loss/generator": loss.item(),
            "gp/discriminator": sum(gps) / 2,
            **({"r1/discriminator": sum(r1s) / 2} if r1s else {}),
        }
        assert {name: value.item() for name, value in statistics.items()} == pytest.approx(expected, abs=1e-6)
        assert torch.equal(random.get_state(), replay.get_state())
        for ours, reference in ((generator, theirs_g), (discriminator, theirs_d)):
            for actual, wanted in zip(ours.state_dict().values(), reference.state_dict().values(), strict=True):
                torch.testing.assert_close(actual, wanted, rtol=0, atol=1e-6)
        for actual, wanted in zip(average.networks["generator"].parameters(), mean.parameters(), strict=True):
            torch.testing.assert_close(actual, wanted, rtol=0, atol=1e-6)


class Evaluator(nn.Module):
    """A discriminator that counts its passes."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(784, 8), norm, nn.LeakyReLU(0.2), nn.Linear(8, 1))
        self.rows: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            self.rows.append(len(x))
        return self.layers(x)


@pytest.mark.parametrize(
    ("norm", "rows"), [(nn.Identity(), [16, 8]), (nn.BatchNorm1d(8), [8, 8, 8])], ids=["without", "with batch norm"]
)
def test_fakes_and_reals_share_a_pass_only_where_that_gives_the_same(
    device: torch.device, registry: Registry, norm: nn.Module, rows: list[int]
) -> None:
    torch.manual_seed(0)
    noise = registry.load("noise", "normal")(device, z_dim=4)
    generator = registry.load("generator", "mlp")(4, (1, 28, 28), hidden_dim=2).to(device)
    discriminator = Evaluator(norm).to(device)
    apart = copy.deepcopy(discriminator)
    sgd = registry.load("optimizer", "sgd")
    step = registry.load("step", "alternating")(
        generator,
        discriminator,
        registry.load("loss", "bce")(),
        noise,
    )
    optimizers = {
        "generator": sgd(generator.parameters(), lr=0.0),
        "discriminator": sgd(discriminator.parameters(), lr=0.0),
    }
    images = torch.rand(8, 1, 28, 28, device=device)
    z = noise(8, seeded_generator(device, 0))

    statistics = Updater(optimizers).run(step, step.updates(), Batch(images), seeded_generator(device, 0))

    assert discriminator.rows == rows
    with torch.no_grad():
        real_logits, fake_logits = apart(images), apart(generator(z))
    expected = (nn.functional.softplus(-real_logits) + nn.functional.softplus(fake_logits)).mean() / 2
    torch.testing.assert_close(statistics["loss/discriminator"], expected, rtol=0, atol=1e-6)


def test_step_changes_both_networks_and_leaves_gradients_enabled(
    device: torch.device, registry: Registry, tiny: ganfw.Recipe
) -> None:
    experiment = ganfw.assemble(ganfw.resolve(tiny, registry))
    before = copy.deepcopy(
        [experiment.networks["generator"].state_dict(), experiment.networks["discriminator"].state_dict()]
    )
    batch = next(experiment.batches.epoch(0))

    updater = Updater(experiment.optimizers)
    statistics = updater.run(experiment.step, experiment.updates, batch, seeded_generator(device, 0))

    after = [experiment.networks["generator"].state_dict(), experiment.networks["discriminator"].state_dict()]
    for old, new in zip(before, after, strict=True):
        assert any(not torch.equal(old[name], new[name]) for name in old)
    assert all(weight.requires_grad for weight in experiment.networks["discriminator"].parameters())
    assert {name: (value.shape, value.requires_grad) for name, value in statistics.items()} == {
        "loss/discriminator": ((), False),
        "loss/generator": ((), False),
    }


@pytest.mark.parametrize("loss", ["bce", "relativistic"])
def test_generator_update_computes_no_gradient_of_the_discriminator(
    device: torch.device, registry: Registry, tiny: ganfw.Recipe, loss: str
) -> None:
    experiment = ganfw.assemble(ganfw.resolve(ganfw.Recipe(extends=tiny, loss={"use": loss}), registry))
    batch, random = next(experiment.batches.epoch(0)), seeded_generator(device, 0)
    updater = Updater(experiment.optimizers)
    updater.run(experiment.step, experiment.updates, batch, random)
    gradients = [weight.grad.clone() for weight in experiment.networks["discriminator"].parameters()]

    updater.apply(experiment.updates[1], batch, random)

    for before, weight in zip(gradients, experiment.networks["discriminator"].parameters(), strict=True):
        torch.testing.assert_close(weight.grad, before, rtol=0, atol=0)


def test_frozen_weights_of_the_discriminator_stay_frozen(
    device: torch.device, registry: Registry, tiny: ganfw.Recipe
) -> None:
    experiment = ganfw.assemble(ganfw.resolve(tiny, registry))
    frozen = next(experiment.networks["discriminator"].parameters()).requires_grad_(False)

    batch, random = next(experiment.batches.epoch(0)), seeded_generator(device, 0)
    Updater(experiment.optimizers).run(experiment.step, experiment.updates, batch, random)

    assert not frozen.requires_grad
    assert frozen.grad is None
