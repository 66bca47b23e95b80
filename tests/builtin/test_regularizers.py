"""The regularizers against closed forms and finite differences."""

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ganfw
from ganfw import Recipe, Registry, RowRandom, UpdateContext
from ganfw.engine.precision import computing_in
from ganfw.testing import check_exact_resume

PENALTIES = ("r1", "r2", "gradient_penalty", "dragan")


def context(
    discriminator: nn.Module,
    real: Tensor,
    fake: Tensor,
    *,
    judge: Callable[[Tensor], Tensor] | None = None,
    random: RowRandom | None = None,
) -> UpdateContext:
    judge = judge or discriminator
    return UpdateContext(
        real=real,
        fake=fake,
        real_outputs={"logits": judge(real)},
        fake_outputs={"logits": judge(fake)},
        discriminate=judge,
        generate=nn.Identity(),
        networks={"discriminator": discriminator},
        random=random or RowRandom(torch.Generator(real.device).manual_seed(0), len(real)),
    )


def samples(*shape: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(1)
    return tuple(torch.rand(shape, generator=random, dtype=torch.float64).to(dtype) for _ in range(2))


@pytest.mark.parametrize("shape", [(5, 2), (3, 1, 4, 4)], ids=["points", "images"])
@pytest.mark.parametrize("name", PENALTIES)
def test_penalty_of_a_linear_discriminator_is_that_of_its_weights(
    registry: Registry, name: str, shape: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    size = math.prod(shape[1:])
    discriminator = nn.Sequential(nn.Flatten(), nn.Linear(size, 1)).double()
    weight = discriminator[1].weight
    norm = weight.norm().item()

    penalty = registry.load("regularizer", name)(weight=3.0).discriminator(context(discriminator, *samples(*shape)))
    penalty.backward()

    if name in ("r1", "r2"):
        assert penalty.item() == pytest.approx(1.5 * norm**2, rel=1e-12)
        expected = 3 * weight.detach()
    else:
        assert penalty.item() == pytest.approx(3 * (norm - 1) ** 2, rel=1e-12)
        expected = 6 * (norm - 1) * weight.detach() / norm
    torch.testing.assert_close(weight.grad, expected, rtol=1e-12, atol=0)


class Quadratic(nn.Module):
    """x·Ax/2, whose gradient is Ax."""

    def __init__(self, size: int) -> None:
        super().__init__()
        square = torch.rand(size, size, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        self.matrix = nn.Parameter(square + square.T)

    def forward(self, x: Tensor) -> Tensor:
        return ((x @ self.matrix) * x).sum(1, keepdim=True) / 2


@pytest.mark.parametrize("name", PENALTIES)
def test_penalty_of_a_quadratic_discriminator_is_taken_at_the_right_points(registry: Registry, name: str) -> None:
    discriminator = Quadratic(3)
    real, fake = samples(6, 3)
    random = torch.Generator().manual_seed(0)
    points = {
        "r1": real,
        "r2": fake,
        "gradient_penalty": fake + torch.rand(6, 1, generator=random) * (real - fake),
        "dragan": real + 0.1 * torch.randn(6, 3, generator=random.manual_seed(0)),
    }[name]
    norms = np.linalg.norm(points.numpy() @ discriminator.matrix.detach().numpy(), axis=1)
    expected = (norms**2).mean() / 2 if name in ("r1", "r2") else ((norms - 1) ** 2).mean()

    actual = registry.load("regularizer", name)(weight=1.0).discriminator(context(discriminator, real, fake))

    assert actual.item() == pytest.approx(expected, rel=1e-6)  # the draws are float32


@pytest.mark.parametrize(
    ("name", "key"), [("gradient_penalty", "target"), ("dragan", "target"), ("dragan", "noise_std")]
)
def test_keys_of_a_penalty_change_it(registry: Registry, name: str, key: str) -> None:
    discriminator = Quadratic(3)
    part = registry.load("regularizer", name)
    one, other = (part(**{key: value}).discriminator(context(discriminator, *samples(6, 3))) for value in (0.0, 0.5))

    assert not torch.isclose(one, other)


@pytest.mark.parametrize("name", PENALTIES)
def test_gradient_of_a_penalty_equals_finite_differences(registry: Registry, name: str) -> None:
    random = np.random.default_rng(0)
    weights = {"w": random.normal(size=(4, 3)), "b": random.normal(size=4), "v": random.normal(size=4)}
    real, fake = samples(5, 3)
    draws = torch.Generator().manual_seed(0)
    points = {
        "r1": real,
        "r2": fake,
        "gradient_penalty": fake + torch.rand(5, 1, generator=draws) * (real - fake),
        "dragan": real + 0.1 * torch.randn(5, 3, generator=draws.manual_seed(0)),
    }[name].numpy()

    def penalty(w: Any, b: Any, v: Any) -> float:
        """Return the penalty of v·tanh(Wx + b), whose gradient at x is Wᵀ(v(1 - tanh²(Wx + b)))."""
        slopes = (v * (1 - np.tanh(points @ w.T + b) ** 2)) @ w
        norms = np.linalg.norm(slopes, axis=1)
        return float((norms**2).mean() / 2 if name in ("r1", "r2") else ((norms - 1) ** 2).mean())

    discriminator = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1, bias=False)).double()
    parameters = dict(zip(("w", "b", "v"), discriminator.parameters(), strict=True))
    with torch.no_grad():
        for key, parameter in parameters.items():
            parameter.copy_(torch.tensor(weights[key]).view_as(parameter))
    value = registry.load("regularizer", name)(weight=1.0).discriminator(context(discriminator, real, fake))
    value.backward()

    assert value.item() == pytest.approx(penalty(**weights), rel=1e-6)
    for key, parameter in parameters.items():
        for index in range(parameter.numel()):
            ends = []
            for side in (-1, 1):
                moved = {name: array.copy() for name, array in weights.items()}
                moved[key].flat[index] += side * 1e-6
                ends.append(penalty(**moved))
            assert float(parameter.grad.flatten()[index]) == pytest.approx((ends[1] - ends[0]) / 2e-6, abs=1e-6)


def test_a_discriminator_without_slope_gets_a_finite_gradient(registry: Registry) -> None:
    for name in PENALTIES:
        discriminator = nn.Linear(2, 1)
        nn.init.zeros_(discriminator.weight)
        real, fake = samples(4, 2, dtype=torch.float32)
        registry.load("regularizer", name)().discriminator(context(discriminator, real, fake)).backward()

        assert torch.isfinite(discriminator.weight.grad).all(), name


def test_a_penalty_at_fakes_gives_the_generator_no_gradient(registry: Registry) -> None:
    for name in ("r2", "gradient_penalty"):
        discriminator = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).double()
        real, fake = samples(4, 2)
        fake = fake.clone().requires_grad_()
        registry.load("regularizer", name)().discriminator(context(discriminator, real, fake)).backward()

        assert fake.grad is None
        assert discriminator[0].weight.grad is not None


def test_with_batch_norm_the_slope_is_that_of_the_sum_of_logits(registry: Registry) -> None:
    torch.manual_seed(0)
    discriminator = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Tanh(), nn.Linear(3, 1)).double()
    real, fake = samples(4, 2)

    actual = registry.load("regularizer", "r1")(weight=2.0).discriminator(context(discriminator, real, fake))

    squares = 0.0
    with torch.no_grad():
        for index in range(real.numel()):
            ends = []
            for side in (-1, 1):
                moved = real.clone()
                moved.view(-1)[index] += side * 1e-6
                ends.append(discriminator(moved).sum().item())
            squares += ((ends[1] - ends[0]) / 2e-6) ** 2
    assert actual.item() == pytest.approx(squares / 4, rel=1e-6)


@pytest.mark.parametrize("name", PENALTIES)
def test_in_bfloat16_a_penalty_is_near_that_in_float32(device: torch.device, registry: Registry, name: str) -> None:
    torch.manual_seed(0)
    discriminator = registry.load("discriminator", "mlp")((1, 28, 28), hidden_dim=32).to(device)
    real, fake = (each.to(device) for each in samples(16, 1, 28, 28, dtype=torch.float32))
    values, gradients = {}, {}
    for precision in ("fp32", "bf16"):
        discriminator.zero_grad()
        with computing_in(precision, device, discriminator):
            value = registry.load("regularizer", name)().discriminator(context(discriminator, real, fake))
            value.backward()
        assert value.dtype == torch.float32
        values[precision] = value.item()
        gradients[precision] = torch.cat(
            [weight.grad.flatten() for weight in discriminator.parameters() if weight.grad is not None]
        )

    assert values["bf16"] != values["fp32"]
    assert values["bf16"] == pytest.approx(values["fp32"], rel=0.02)
    difference = (gradients["bf16"] - gradients["fp32"]).norm() / gradients["fp32"].norm()
    assert difference < 0.05  # where a rounding changes the side of a LeakyReLU, a gradient changes by more


def test_weights_are_clipped_in_place_and_frozen_ones_left_alone(registry: Registry) -> None:
    discriminator = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    with torch.no_grad():
        for weight in discriminator.parameters():
            weight.copy_(torch.linspace(-1, 1, weight.numel()).view_as(weight))
    discriminator[1].weight.requires_grad_(False)
    before = copy.deepcopy(discriminator)

    with torch.no_grad():
        registry.load("regularizer", "weight_clipping")(limit=0.5).constrain(discriminator)

    for (name, old), new in zip(before.named_parameters(), discriminator.parameters(), strict=True):
        expected = old if name == "1.weight" else old.clamp(-0.5, 0.5)
        assert torch.equal(new, expected), name


def test_clipped_weights_are_those_of_the_next_pass_in_bfloat16(device: torch.device, registry: Registry) -> None:
    discriminator = nn.Linear(1, 1, bias=False)
    nn.init.ones_(discriminator.weight)
    clipping = registry.load("regularizer", "weight_clipping")(limit=0.25)
    objective = ganfw.Objective(nn.Identity(), discriminator, registry.load("loss", "bce")(), {"clipping": clipping})
    with computing_in("bf16", device, discriminator):
        before = [discriminator(torch.ones(1, 1)).item() for _ in range(2)]
        objective.constrain()
        after = discriminator(torch.ones(1, 1)).item()

    assert (before, after) == ([1, 1], 0.25)


def test_every_update_is_followed_by_clipping(registry: Registry, tiny: Recipe) -> None:
    recipe = Recipe(
        extends=tiny,
        run={"max_steps": 3},
        loss={"use": "wasserstein"},
        regularizers={"clipping": {"use": "weight_clipping", "limit": 0.01}},
        step={"discriminator_steps": 2},
        callbacks={name: {"enabled": False} for name in ("samples", "checkpoint", "metrics")},
    )
    experiment = ganfw.assemble(ganfw.resolve(recipe, registry))
    training = ganfw.train(experiment)

    largest = max(weight.abs().max().item() for weight in experiment.networks["discriminator"].parameters())
    assert largest == pytest.approx(0.01)
    assert list(training.means) == ["loss/discriminator", "loss/generator"]


def test_lazy_penalties_resume_in_phase(registry: Registry, tiny: Recipe, tmp_path: Path) -> None:
    recipe = Recipe(
        extends=tiny,
        regularizers={"r1": {"use": "r1", "every_steps": 3}, "gp": {"use": "gradient_penalty", "every_steps": 4}},
        callbacks={"samples": {"enabled": False}},
    )

    check_exact_resume(recipe, registry, tmp_path, stop_at=4, steps=8)
