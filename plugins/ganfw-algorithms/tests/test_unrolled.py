"""Unrolled GANs: losses and gradients, of second order too, against the discriminator's steps written out."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

import ganfw
from ganfw import Batch, RowRandom
from ganfw_algorithms.unrolled import Unrolled

REGISTRY = ganfw.discover()
Z = torch.tensor([[0.3], [-1.2], [2.0]], dtype=torch.float64)
REAL = torch.tensor([[1.5], [-0.4], [0.1]], dtype=torch.float64)


class Affine(nn.Module):
    """Multiplies by one number and adds another."""

    def __init__(self, factor: float, shift: float) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.tensor([factor, shift], dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.weights[0] * x + self.weights[1]


def losses(step: Unrolled) -> tuple[Tensor, Tensor]:
    """Return both losses of a step, computed as its updates are."""
    random = RowRandom(torch.Generator(), len(Z))
    first, second = (update.loss(Batch(REAL), random, Z) for update in step.updates())
    assert isinstance(first, Tensor)
    assert isinstance(second, Tensor)
    return first, second


def unrolled(generator: nn.Module, discriminator: nn.Module, steps: int, lr: float = 0.7) -> Unrolled:
    loss = REGISTRY.load("loss", "ganfw:logistic")()
    return Unrolled(generator, discriminator, loss, None, unrolled_steps=steps, unrolled_lr=lr)  # type: ignore[arg-type]


def loss_after(generator: Tensor, discriminator: Tensor, steps: int, lr: float = 0.7) -> Tensor:
    """Return the loss of a discriminator after its further steps, whose slopes are written out by hand."""
    fake = generator[0] * Z + generator[1]
    factor, shift = discriminator
    for _ in range(steps):
        of_real = -torch.sigmoid(-(factor * REAL + shift))  # the slope of softplus(-logit)
        of_fake = torch.sigmoid(factor * fake + shift)
        slopes = (of_real * REAL + of_fake * fake).mean(), (of_real + of_fake).mean()
        factor, shift = factor - lr * slopes[0], shift - lr * slopes[1]
    return softplus(-(factor * REAL + shift)).mean() + softplus(factor * fake + shift).mean()


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_generator_raises_the_loss_of_the_discriminator_after_its_further_steps(steps: int) -> None:
    networks = Affine(1.4, 0.2), Affine(-0.8, 0.5)
    generator, discriminator = (network.weights.detach().clone().requires_grad_() for network in networks)

    _, found = losses(unrolled(*networks, steps))
    expected = -loss_after(generator, discriminator, steps)

    assert found.item() == pytest.approx(expected.item())
    (theirs,) = torch.autograd.grad(found, networks[0].weights)
    torch.testing.assert_close(theirs, torch.autograd.grad(expected, generator)[0])


def test_gradient_goes_through_the_steps() -> None:
    networks = Affine(1.4, 0.2), Affine(-0.8, 0.5)
    (whole,) = torch.autograd.grad(losses(unrolled(*networks, 4))[1], networks[0].weights)

    weights = networks[0].weights.detach().clone().requires_grad_()
    moved = networks[1].weights.detach().clone()
    for _ in range(4):
        leaf = moved.requires_grad_()
        (slope,) = torch.autograd.grad(loss_after(weights.detach(), leaf, 0), leaf)
        moved = (leaf - 0.7 * slope).detach()
    (of_fakes_only,) = torch.autograd.grad(-loss_after(weights, moved, 0), weights)

    assert (whole - of_fakes_only).norm() > 0.1 * whole.norm()


def test_discriminator_minimises_its_plain_loss_and_stays_where_it_is() -> None:
    networks = Affine(1.4, 0.2), Affine(-0.8, 0.5)
    before = networks[1].weights.detach().clone()
    step = unrolled(*networks, 3)

    found, _ = losses(step)

    expected = loss_after(networks[0].weights.detach(), before.requires_grad_(), 0)
    assert found.item() == pytest.approx(expected.item())
    (theirs,) = torch.autograd.grad(found, networks[1].weights)
    torch.testing.assert_close(theirs, torch.autograd.grad(expected, before)[0])
    assert torch.equal(networks[1].weights, before)


def test_frozen_weights_of_the_discriminator_are_not_unrolled() -> None:
    class Shifted(Affine):
        def __init__(self) -> None:
            super().__init__(-0.8, 0.5)
            self.shift = nn.Parameter(torch.tensor(0.0, dtype=torch.float64), requires_grad=False)

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + self.shift

    generator = Affine(1.4, 0.2)
    _, found = losses(unrolled(generator, Shifted(), 2))
    assert found.item() == pytest.approx(losses(unrolled(generator, Affine(-0.8, 0.5), 2))[1].item())


@pytest.mark.parametrize("lr", [0.1, 0.4])
def test_in_the_game_x_times_y_it_leads_to_the_equilibrium(lr: float) -> None:
    """One player minimises x · y over x and foresees a step of the other, who maximises over y."""

    class Product:
        """The loss of the second player is -x · y, x being the fakes and y what multiplies them."""

        def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
            return -fake_logits.mean()

    def played(steps: int) -> float:
        x, y = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
        for player in (x, y):
            nn.init.ones_(player.weight)
        step = Unrolled(x, y, Product(), None, unrolled_steps=steps, unrolled_lr=1.0)  # type: ignore[arg-type]
        ones, random = torch.ones(1, 1), RowRandom(torch.Generator(), 1)
        for _ in range(300):
            for update, player in zip(step.updates(), (y, x), strict=True):
                (slope,) = torch.autograd.grad(update.loss(Batch(ones), random, ones), player.weight)
                player.weight.data -= lr * slope
        return torch.stack([x.weight, y.weight]).norm().item()

    assert played(0) > 0.5
    assert played(1) < 0.01
