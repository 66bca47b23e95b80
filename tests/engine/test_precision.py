import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from attrs import evolve
from torch import Tensor, nn

import ganfw
from ganfw import Batch, InputError, Recipe, Registry, Update
from ganfw.engine.precision import computing_in, require_precision
from ganfw.engine.random_streams import seeded_generator
from ganfw.engine.updates import Updater


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 8), nn.Tanh(), nn.Linear(8, 1)
    )


def gradients(run: nn.Module, x: Tensor) -> list[Tensor]:
    run.zero_grad()
    run(x).float().square().mean().backward()
    return [weight.grad for weight in run.parameters() if weight.grad is not None]


def test_outputs_and_gradients_are_those_of_autocast_in_float32(device: torch.device) -> None:
    ours, theirs = network(), network()
    for _ in range(2):  # with the weights of the second step too
        x = torch.rand(5, 1, 8, 8)
        with computing_in("bf16", device, ours):
            output = ours(x)
            mine = gradients(ours, x)
        with torch.autocast(device.type, torch.bfloat16):
            expected = theirs(x)
            outputs = theirs(x)
        theirs.zero_grad()
        outputs.float().square().mean().backward()
        others = [weight.grad for weight in theirs.parameters()]

        assert output.dtype == torch.float32
        torch.testing.assert_close(output, expected.float(), rtol=0, atol=0)
        assert [gradient.dtype for gradient in mine] == 8 * [torch.float32]
        torch.testing.assert_close(mine, others, rtol=0, atol=0)
        for run in (ours, theirs):
            torch.optim.SGD(run.parameters(), lr=0.1, fused=True).step()


def test_a_weight_used_in_float32_too_is_left_to_autocast(device: torch.device) -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.full((1, 1), 1.001))

        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.linear(x, self.weight) + self.weight.double().float()

    run = Twice()
    with computing_in("bf16", device, run):
        outputs = [float(run(torch.zeros(1, 1)).detach()) for _ in range(2)]

    assert outputs == [pytest.approx(1.001, abs=1e-6)] * 2


def test_evaluation_mode_stays_in_float32(device: torch.device) -> None:
    run = network().eval()
    x = torch.rand(2, 1, 8, 8)
    expected = run(x)
    with computing_in("bf16", device, run):
        torch.testing.assert_close(run(x), expected, rtol=0, atol=0)


def test_nothing_is_left_on_the_network(device: torch.device, registry: Registry) -> None:
    run = network()
    names = list(run.state_dict())
    with computing_in("bf16", device, run):
        gradients(run, torch.rand(2, 1, 8, 8))
        run(torch.rand(2, 1, 8, 8))
        with pytest.raises(RuntimeError):
            run(torch.rand(2, 1, 9, 9))
        assert not torch.is_autocast_enabled(device.type)
        assert all(isinstance(weight, nn.Parameter) for weight in run.parameters())

    assert list(run.state_dict()) == names
    assert run(torch.rand(2, 1, 8, 8)).dtype == torch.float32
    copy.deepcopy(run)


def test_a_network_gets_its_own_forward_pass_back(device: torch.device) -> None:
    plain, owner = network(), network()
    own = owner.forward = lambda x: x + 1
    x = torch.rand(2, 1, 8, 8)
    with computing_in("bf16", device, plain, owner):
        assert plain(x).dtype == torch.float32
        with computing_in("bf16", device, reference := network()):
            torch.testing.assert_close(plain(x), reference(x), rtol=0, atol=0)
        reference.load_state_dict(plain.state_dict())
        torch.testing.assert_close(plain.eval()(x), reference.eval()(x), rtol=0, atol=0)

    assert "forward" not in vars(plain)
    assert owner.forward is own


def sgd_step(device: torch.device, registry: Registry, precision: Any) -> list[Tensor]:
    """Return how one step of plain gradient descent changes the reference networks."""
    torch.manual_seed(0)
    generator = registry.load("generator", "mlp")(64, (1, 28, 28))
    discriminator = registry.load("discriminator", "mlp")((1, 28, 28))
    sgd = registry.load("optimizer", "sgd")
    step = registry.load("step", "alternating")(
        generator,
        discriminator,
        registry.load("loss", "bce")(),
        registry.load("noise", "normal")(device, z_dim=64),
    )
    optimizers = {
        "generator": sgd(generator.parameters(), lr=1.0),
        "discriminator": sgd(discriminator.parameters(), lr=1.0),
    }
    weights = [*generator.parameters(), *discriminator.parameters()]
    before = [weight.detach().clone() for weight in weights]
    with computing_in(precision, device, generator, discriminator):
        batch = Batch(torch.rand(128, 1, 28, 28))
        Updater(optimizers).run(step, step.updates(), batch, seeded_generator(device, 0))
    return [weight.detach() - old for weight, old in zip(weights, before, strict=True)]


def test_an_update_in_bf16_is_that_in_float32_within_a_twentieth(device: torch.device, registry: Registry) -> None:
    exact = torch.cat([change.flatten() for change in sgd_step(device, registry, "fp32")])
    mixed = torch.cat([change.flatten() for change in sgd_step(device, registry, "bf16")])

    error = (mixed - exact).norm() / exact.norm()
    assert 1e-4 < error < 0.05


class Tracking(nn.Module):
    """A network with a mean of its own, and a mapping of outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 4)
        self.register_buffer("mean", torch.zeros(4))
        self.seen: list[torch.dtype] = []

    def forward(self, x: Tensor) -> dict[str, Any]:
        y = self.layer(x)
        self.seen.append(y.dtype)
        self.mean.lerp_(y.detach().mean(0).to(self.mean.dtype), 0.5)
        return {"logits": y[:, :1], "inner": {"classes": y[:, 1:]}, "largest": y.argmax(1)}


def test_a_mapping_of_outputs_is_float32_and_integers_stay(device: torch.device) -> None:
    run = Tracking()
    with computing_in("bf16", device, run):
        outputs = run(torch.rand(5, 3))

    assert run.seen == [torch.bfloat16]
    dtypes = (outputs["logits"].dtype, outputs["inner"]["classes"].dtype, outputs["largest"].dtype)
    assert dtypes == (torch.float32, torch.float32, torch.int64)
    assert run.mean.dtype == torch.float32
    assert bool(run.mean.any())


def test_a_copy_that_is_made_meanwhile_is_a_network_of_its_own(device: torch.device) -> None:
    run = network()
    with computing_in("bf16", device, run):
        twin = copy.deepcopy(run)
        nn.init.zeros_(run[6].weight)
        assert bool(run(torch.rand(2, 1, 8, 8)).diff(dim=0).abs().max() == 0)
        assert twin.train()(torch.rand(2, 1, 8, 8)).diff(dim=0).abs().max() > 0
        assert torch.equal(run[1].num_batches_tracked, torch.tensor(1))
        assert torch.equal(twin[1].num_batches_tracked, torch.tensor(1))


@pytest.mark.bf16
def test_every_network_of_an_experiment_computes_in_bf16(device: torch.device, registry: Registry) -> None:
    networks = {name: Tracking() for name in ("encoder", "critic")}

    class Both:
        def updates(self) -> list[Update]:
            return [Update(name, self._loss_of(name)) for name in networks]

        def _loss_of(self, name: str) -> Callable[..., Tensor]:
            return lambda batch, random: networks[name](batch.samples)["logits"].square().mean()

    experiment = ganfw.Experiment(
        data=ganfw.TensorData(torch.rand(8, 3)),
        networks=networks,
        optimizers={name: torch.optim.SGD(each.parameters(), lr=0.1) for name, each in networks.items()},
        step=Both(),
        settings=ganfw.RunSettings(device=str(device), precision="bf16", batch_size=8),
    )
    for each in networks.values():
        each.seen.clear()

    class Copying(ganfw.Callback):
        def on_step(self, training: ganfw.Training) -> None:
            copy.deepcopy(training.experiment.networks["encoder"])(torch.rand(2, 3))

    ganfw.train(evolve(experiment, callbacks={"copying": Copying()}), steps=1)

    for each in networks.values():
        assert each.seen[-1] == torch.bfloat16
        assert "forward" not in vars(each)


@pytest.mark.parametrize(
    ("capabilities", "able"),
    [({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({"bf16": True}, True), ({"avx512_f": True}, False)],
)
def test_bf16_asks_for_hardware(
    device: torch.device, monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], able: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    require_precision("fp32", device)
    if able:
        require_precision("bf16", device)
    else:
        with pytest.raises(InputError) as caught:
            require_precision("bf16", device)
        assert str(caught.value) == ('run.precision = "bf16": cpu has no bfloat16 arithmetic; use "fp32"')


@pytest.mark.bf16
@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # torch.compile warns of its own code
def test_losses_in_bf16_stay_within_the_spread_of_float32_seeds(registry: Registry) -> None:
    def window_means(*overrides: str) -> list[float]:
        recipe = Recipe.load("mnist_mlp", registry).with_overrides(
            ["run.max_steps=200", "run.log_every_steps=50", *overrides]
        )
        resolved = ganfw.resolve(recipe, registry)
        means: list[float] = []

        class Note(ganfw.Callback):
            def on_log(self, training: ganfw.Training) -> None:
                means.extend(training.means.values())

        experiment = ganfw.assemble(resolved)
        ganfw.train(evolve(experiment, callbacks={"note": Note()}))
        return means

    seeds = torch.tensor([window_means(f"run.seed={seed}") for seed in range(4)])
    mixed = torch.tensor([window_means('run.precision="bf16"', f"run.compile={way}") for way in ("false", "true")])

    spread = seeds.max(0).values - seeds.min(0).values
    assert seeds.shape == (4, 8)
    assert ((mixed - seeds[0]).abs() <= spread).all(), f"{mixed} against {seeds}"
