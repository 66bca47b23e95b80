"""D2GAN: its losses and gradients with the sums of the paper written out in float64, and what an optimum gives."""

import pytest
import torch
from torch import Tensor, nn

from ganfw import Batch, RowRandom
from ganfw_algorithms.d2gan import D2GAN, log_softplus

Z, REAL = (torch.tensor([[0.3], [-1.2], [2.0]]).double(), torch.tensor([[1.5], [-0.4], [0.1]]).double())


class Affine(nn.Module):
    """Multiplies by one number and adds another."""

    def __init__(self, factor: float, shift: float) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.tensor([factor, shift], dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.weights[0] * x + self.weights[1]


def step_of(networks: tuple[nn.Module, nn.Module, nn.Module]) -> D2GAN:
    return D2GAN(*networks, None, alpha=0.3, beta=0.7)  # type: ignore[arg-type]


def test_losses_and_their_gradients_are_those_of_the_paper() -> None:
    networks = Affine(1.4, 0.2), Affine(-0.8, 0.5), Affine(0.6, -0.1)
    generator, first, second = (tuple(network.weights.detach().requires_grad_()) for network in networks)
    random = RowRandom(torch.Generator(), 3)

    def score(weights: tuple[Tensor, ...], x: Tensor) -> Tensor:
        return torch.log(1 + torch.exp(weights[0] * x + weights[1]))

    fake = generator[0] * Z + generator[1]
    value = (0.3 * score(first, REAL).log() - score(first, fake) - score(second, REAL)).mean()
    value = value + 0.7 * score(second, fake).log().mean()
    step = step_of(networks)
    found = step.discriminator_loss(Batch(REAL), random, Z), step.generator_loss(Batch(REAL), random, Z)

    assert found[0].item() == pytest.approx(-value.item())
    expected = torch.stack(torch.autograd.grad(-value, [*first, *second], retain_graph=True))
    theirs = torch.autograd.grad(found[0], [networks[1].weights, networks[2].weights])
    torch.testing.assert_close(torch.cat(theirs), expected)
    of_fakes = (0.7 * score(second, fake).log() - score(first, fake)).mean()
    assert found[1].item() == pytest.approx(of_fakes.item())
    expected = torch.stack(torch.autograd.grad(of_fakes, generator))
    torch.testing.assert_close(torch.autograd.grad(found[1], networks[0].weights)[0], expected)


class Scores(nn.Module):
    """Gives a logit, which is learnt, for each of the samples 0, 1 and 2."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(3, dtype=torch.float64))

    def forward(self, samples: Tensor) -> Tensor:
        return self.logits[samples.long()]


def test_optimal_discriminators_give_the_generator_the_two_divergences() -> None:
    counts = torch.tensor([[4, 2, 2], [1, 3, 4]])
    real, fake = (torch.arange(3.0).repeat_interleave(count)[:, None] for count in counts)
    p, q = (counts / 8).double()
    networks = nn.Identity(), Scores(), Scores()
    step, random = step_of(networks), RowRandom(torch.Generator(), 8)
    optimizer = torch.optim.LBFGS([*networks[1].parameters(), *networks[2].parameters()], max_iter=200)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = step.discriminator_loss(Batch(real), random, fake)
        loss.backward()
        return loss

    for _ in range(20):
        optimizer.step(closure)
    value = -step.discriminator_loss(Batch(real), random, fake).item()

    divergences = 0.3 * (p * (p / q).log()).sum() + 0.7 * (q * (q / p).log()).sum()
    constant = 0.3 * (torch.tensor(0.3).log() - 1) + 0.7 * (torch.tensor(0.7).log() - 1)
    assert value == pytest.approx(float(divergences + constant), abs=1e-5)


def test_logarithm_stays_finite_where_softplus_rounds_to_zero() -> None:
    logits = torch.tensor([-500.0, -15.5, -14.5, 0.0, 30.0], requires_grad=True)
    exact = logits.detach().double().requires_grad_()
    value = log_softplus(logits)
    expected = torch.log1p(torch.exp(exact[1:])).log()

    assert value[0].item() == -500.0
    torch.testing.assert_close(value[1:].double(), expected, atol=1e-6, rtol=1e-6)
    (gradient,) = torch.autograd.grad(value.sum(), logits)
    (right,) = torch.autograd.grad(expected.sum(), exact)
    torch.testing.assert_close(gradient[1:].double(), right[1:], atol=1e-6, rtol=1e-6)
    assert gradient[0].item() == 1.0
