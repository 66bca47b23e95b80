import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import ganfw
from ganfw import Batch, InputError, Recipe, Registry
from ganfw.engine.precision import computing_in, require_precision
from ganfw.engine.random_streams import seeded_generator

CPU = torch.device("cpu")


def bf16_is_native() -> bool:
    try:
        require_precision("bf16", CPU)
    except InputError:
        return False
    return True


needs_bf16 = pytest.mark.skipif(not bf16_is_native(), reason="this processor has no bfloat16 arithmetic")


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 8), nn.Tanh(), nn.Linear(8, 1)
    )


def gradients(run: nn.Module, x: Tensor) -> list[Tensor]:
    run.zero_grad()
    run(x).float().square().mean().backward()
    return [weight.grad for weight in run.parameters() if weight.grad is not None]


def test_outputs_and_gradients_are_those_of_autocast_in_float32() -> None:
    ours, theirs = network(), network()
    for number in range(3):  # the first pass finds the weights, the next reuses their roundings, the last remakes them
        x = torch.rand(5, 1, 8, 8)
        with computing_in("bf16", ours):
            if number == 1:
                gradients(ours, x)
            output, mine = ours(x), gradients(ours, x)
        with torch.autocast("cpu", torch.bfloat16):
            expected = theirs(x)
            if number == 1:
                theirs(x)
        with torch.autocast("cpu", torch.bfloat16):
            outputs = theirs(x)
        theirs.zero_grad()
        outputs.float().square().mean().backward()
        others = [weight.grad for weight in theirs.parameters()]

        assert output.dtype == torch.float32
        torch.testing.assert_close(output, expected.float(), rtol=0, atol=0)
        assert [gradient.dtype for gradient in mine] == 8 * [torch.float32]
        torch.testing.assert_close(mine, others, rtol=0, atol=0)
        for run in (ours, theirs):
            if number == 0:  # a write that autograd's version counter does not see
                torch.optim.SGD(run.parameters(), lr=0.1, fused=True).step()
            else:
                with torch.no_grad():
                    for weight in run.parameters():
                        weight -= 0.1 * weight.grad


class CountRoundings(TorchDispatchMode):
    """Counts how often a float32 tensor of each shape is written as bfloat16."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[int, ...]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.ops.aten.copy_.default and args[0].dtype == torch.bfloat16:
            self.shapes.append(tuple(args[1].shape))
        if func is torch.ops.aten._to_copy.default and kwargs.get("dtype") == torch.bfloat16:
            self.shapes.append(tuple(args[0].shape))
        return func(*args, **kwargs)


def test_a_weight_is_rounded_once_for_each_update(registry: Registry, tiny: Recipe) -> None:
    experiment = ganfw.assemble(ganfw.resolve(tiny, registry))
    networks = (experiment.generator, experiment.discriminator)
    weights = [tuple(weight.shape) for network in networks for weight in network.parameters() if weight.ndim == 2]
    batches = list(experiment.batches.epoch(0))[:4]
    random = seeded_generator("cpu", 0)
    with computing_in("bf16", experiment.generator, experiment.discriminator):
        for batch in batches[:3]:
            experiment.step(batch, random)
        with CountRoundings() as count:
            experiment.step(batches[3], random)

    assert len(set(weights)) == len(weights) == 9
    assert [count.shapes.count(shape) for shape in weights] == 9 * [1]


def test_a_weight_used_in_float32_too_is_left_to_autocast() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.full((1, 1), 1.001))

        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.linear(x, self.weight) + self.weight.double().float()

    run = Twice()
    with computing_in("bf16", run):
        outputs = [float(run(torch.zeros(1, 1)).detach()) for _ in range(2)]

    assert outputs == [pytest.approx(1.001, abs=1e-6)] * 2


def test_evaluation_mode_stays_in_float32() -> None:
    run = network().eval()
    x = torch.rand(2, 1, 8, 8)
    expected = run(x)
    with computing_in("bf16", run):
        torch.testing.assert_close(run(x), expected, rtol=0, atol=0)


def test_nothing_is_left_on_the_network(registry: Registry) -> None:
    run = network()
    names = list(run.state_dict())
    with computing_in("bf16", run):
        gradients(run, torch.rand(2, 1, 8, 8))
        run(torch.rand(2, 1, 8, 8))
        with pytest.raises(RuntimeError):
            run(torch.rand(2, 1, 9, 9))
        assert not torch.is_autocast_enabled("cpu")
        assert all(isinstance(weight, nn.Parameter) for weight in run.parameters())

    assert list(run.state_dict()) == names
    assert run(torch.rand(2, 1, 8, 8)).dtype == torch.float32
    copy.deepcopy(run)


def test_a_network_to_be_compiled_gets_its_own_forward_pass_back() -> None:
    plain, owner = network(), network()
    own = owner.forward = lambda x: x + 1
    x = torch.rand(2, 1, 8, 8)
    with computing_in("bf16", plain, owner, compiled=True):
        assert plain(x).dtype == torch.float32
        with computing_in("bf16", reference := network()):
            torch.testing.assert_close(plain(x), reference(x), rtol=0, atol=0)
        reference.load_state_dict(plain.state_dict())
        torch.testing.assert_close(plain.eval()(x), reference.eval()(x), rtol=0, atol=0)

    assert "forward" not in vars(plain)
    assert owner.forward is own


def sgd_step(registry: Registry, precision: Any) -> list[Tensor]:
    """Return how one step of plain gradient descent changes the reference networks."""
    torch.manual_seed(0)
    generator = registry.load("generator", "mlp")(64, (1, 28, 28))
    discriminator = registry.load("discriminator", "mlp")((1, 28, 28))
    sgd = registry.load("optimizer", "sgd")
    step = registry.load("step", "alternating")(
        generator,
        discriminator,
        registry.load("loss", "bce")(),
        registry.load("noise", "normal")("cpu", z_dim=64),
        sgd(generator.parameters(), lr=1.0),
        sgd(discriminator.parameters(), lr=1.0),
    )
    weights = [*generator.parameters(), *discriminator.parameters()]
    before = [weight.detach().clone() for weight in weights]
    with computing_in(precision, generator, discriminator):
        step(Batch(torch.rand(128, 1, 28, 28)), seeded_generator("cpu", 0))
    return [weight.detach() - old for weight, old in zip(weights, before, strict=True)]


def test_an_update_in_bf16_is_that_in_float32_within_a_twentieth(registry: Registry) -> None:
    exact = torch.cat([change.flatten() for change in sgd_step(registry, "fp32")])
    mixed = torch.cat([change.flatten() for change in sgd_step(registry, "bf16")])

    error = (mixed - exact).norm() / exact.norm()
    assert 1e-4 < error < 0.05


@pytest.mark.parametrize(
    ("capabilities", "able"),
    [({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({"bf16": True}, True), ({"avx512_f": True}, False)],
)
def test_bf16_asks_for_hardware(monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], able: bool) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    require_precision("fp32", CPU)
    if able:
        require_precision("bf16", CPU)
    else:
        with pytest.raises(InputError) as caught:
            require_precision("bf16", CPU)
        assert str(caught.value) == ('run.precision = "bf16": cpu has no bfloat16 arithmetic of its own; use "fp32"')


@needs_bf16
@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # torch.compile warns of its own code
def test_losses_in_bf16_stay_within_the_spread_of_float32_seeds(registry: Registry) -> None:
    def window_means(*overrides: str) -> list[float]:
        recipe = Recipe.load("mnist_mlp", registry).with_overrides(
            ["run.max_steps=1000", "run.log_every_steps=250", *overrides]
        )
        resolved = ganfw.resolve(recipe, registry)
        means: list[float] = []

        class Note(ganfw.Callback):
            def on_log(self, training: ganfw.Training) -> None:
                means.extend(training.means.values())

        experiment = ganfw.assemble(resolved)
        experiment.callbacks.clear()  # type: ignore[attr-defined]
        experiment.callbacks["note"] = Note()  # type: ignore[index]
        ganfw.train(experiment)
        return means

    seeds = torch.tensor([window_means(f"run.seed={seed}") for seed in range(4)])
    mixed = torch.tensor([window_means('run.precision="bf16"', f"run.compile={way}") for way in ("false", "true")])

    spread = seeds.max(0).values - seeds.min(0).values
    assert seeds.shape == (4, 8)
    assert ((mixed - seeds[0]).abs() <= spread).all(), f"{mixed} against {seeds}"
