"""GMAN: its losses and gradients with the sums of the paper written out in float64, and λ that is learnt."""

import math
from pathlib import Path

import pytest
import torch
from small_recipes import small, with_learnt_sharpness
from torch import Tensor, nn

import ganfw
from ganfw import Batch, InputError, RowRandom
from ganfw.testing import check_exact_resume, checks_of
from ganfw_algorithms.gman import GMAN, Sharpness

REGISTRY = ganfw.discover()
Z, REAL = (torch.tensor([[0.3], [-1.2], [2.0]]).double(), torch.tensor([[1.5], [-0.4], [0.1]]).double())
RANDOM = RowRandom(torch.Generator(), 3)
IN_TWO_PROCESSES = [
    check
    for check in checks_of(
        "ganfw-algorithms",
        registry=REGISTRY,
        bases={"step gman": small("grid_gman", REGISTRY)},
        parameters={"step gman": {"fixed_sharpness": 0.0}},
    )
    if str(check) == "step gman: trains in two processes"
]


class Affine(nn.Module):
    """Multiplies by one number and adds another."""

    def __init__(self, factor: float, shift: float) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.tensor([factor, shift], dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.weights[0] * x + self.weights[1]


def networks() -> dict[str, nn.Module]:
    return {
        "generator": Affine(1.4, 0.2),
        "discriminator": Affine(-0.8, 0.5),
        "second": Affine(0.6, -0.1),
        "third": Affine(2.0, 0.3),
    }


def step_of(there: dict[str, nn.Module], **keys: float) -> GMAN:
    loss = REGISTRY.load("loss", "ganfw:logistic")()
    return GMAN(there["generator"], there, loss, None, there.get("sharpness"), **keys)  # type: ignore[arg-type]


def generator_losses(there: dict[str, nn.Module]) -> list[Tensor]:
    """Return the loss against each discriminator, log(1 + exp(-logit)) of fakes."""
    fake = there["generator"](Z)
    return [torch.log(1 + torch.exp(-there[name](fake))).mean() for name in ("discriminator", "second", "third")]


def test_discriminators_minimise_their_own_losses() -> None:
    there = networks()
    fake = there["generator"](Z).detach()
    others = [there[name] for name in ("discriminator", "second", "third")]
    losses = [torch.log((1 + torch.exp(-each(REAL))) * (1 + torch.exp(each(fake)))).mean() for each in others]

    found = step_of(there).discriminator_loss(Batch(REAL), RANDOM, Z)

    assert found.item() == pytest.approx(sum(loss.item() for loss in losses))
    for network, loss in zip(others, losses, strict=True):
        (theirs,) = torch.autograd.grad(found, network.parameters(), retain_graph=True)
        torch.testing.assert_close(theirs, torch.autograd.grad(loss, network.parameters())[0])


@pytest.mark.parametrize("sharpness", [0.0, 0.7, 3.0])
def test_generator_minimises_the_mean_with_softmax_weights(sharpness: float) -> None:
    there = networks()
    losses = generator_losses(there)
    shares = [torch.exp(sharpness * loss) for loss in losses]
    expected = sum(share * loss for share, loss in zip(shares, losses, strict=True)) / sum(shares)
    assert isinstance(expected, Tensor)

    found, seen = step_of(there, fixed_sharpness=sharpness).generator_loss(Batch(REAL), RANDOM, Z)

    assert seen == {}
    assert found.item() == pytest.approx(expected.item())
    (theirs,) = torch.autograd.grad(found, there["generator"].parameters())
    torch.testing.assert_close(theirs, torch.autograd.grad(expected, there["generator"].parameters())[0])


def test_a_large_sharpness_gives_the_largest_loss() -> None:
    there = networks()
    found, _ = step_of(there, fixed_sharpness=1e4).generator_loss(Batch(REAL), RANDOM, Z)
    assert found.item() == pytest.approx(max(loss.item() for loss in generator_losses(there)))


def test_learnt_sharpness_is_what_it_begins_with_and_has_the_slope_of_the_formula() -> None:
    there = {**networks(), "sharpness": Sharpness(initial=0.7).double()}
    losses = torch.tensor([loss.item() for loss in generator_losses(there)], dtype=torch.float64)

    found, seen = step_of(there, reward=0.2).generator_loss(Batch(REAL), RANDOM, Z)

    assert seen["gman/sharpness"].item() == pytest.approx(0.7)
    weights = torch.exp(0.7 * losses) / torch.exp(0.7 * losses).sum()
    assert found.item() == pytest.approx(float((weights * losses).sum()) - 0.2 * 0.7)
    # The slope of a mean with softmax weights over λ is the variance of the losses under these weights.
    variance = float((weights * losses**2).sum() - (weights * losses).sum() ** 2)
    (slope,) = torch.autograd.grad(found, there["sharpness"].parameters())
    assert slope.item() == pytest.approx((variance - 0.2) * (1 - math.exp(-0.7)))  # softplus' = 1 - exp(-softplus)


def test_a_run_with_learnt_sharpness_moves_it_and_resumes_exactly(tmp_path: Path) -> None:
    recipe = with_learnt_sharpness(REGISTRY)
    experiment = ganfw.assemble(ganfw.resolve(recipe, REGISTRY))
    assert len(experiment.step.discriminators) == 3
    training = ganfw.train(experiment, steps=5)
    assert abs(training.means["gman/sharpness"] - 1) > 1e-3

    check_exact_resume(recipe, REGISTRY, tmp_path, stop_at=2, steps=5)


def test_a_recipe_that_does_not_fit_is_refused() -> None:
    there = networks()
    loss = REGISTRY.load("loss", "ganfw:relativistic")()
    with pytest.raises(InputError) as no_opponent:
        GMAN(there["generator"], {"generator": there["generator"]}, loss, None)  # type: ignore[arg-type]
    assert str(no_opponent.value) == "gman needs at least one discriminator, [discriminator] or [networks.NAME]"
    with pytest.raises(InputError) as pairs:
        GMAN(there["generator"], there, loss, None)  # type: ignore[arg-type]
    assert str(pairs.value) == (
        "gman weights losses of fakes; choose a loss that is not relativistic, such as 'minimax'"
    )


@pytest.mark.slow
def test_with_equal_weights_two_processes_train_as_one(tmp_path: Path) -> None:
    (check,) = IN_TWO_PROCESSES
    check(tmp_path)
