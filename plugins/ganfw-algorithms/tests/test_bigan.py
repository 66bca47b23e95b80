"""BiGAN: its losses with the pairs written out, and a probe that is where its loss is flat."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ganfw import Batch, InputError, RowRandom, SampleRequest
from ganfw_algorithms.bigan import BiGAN, Reconstruction, fit_probe


class Doubling(nn.Module):
    """A generator whose inverse is `Halving`."""

    def forward(self, z: Tensor) -> Tensor:
        return 2 * z


class Halving(nn.Module):
    def forward(self, samples: Tensor) -> dict[str, Tensor]:
        return {"z": samples / 2, "features": samples}


class Difference(nn.Module):
    """Judges a pair by how its members differ."""

    def forward(self, samples: Tensor, z: Tensor) -> Tensor:
        return (samples - 3 * z).sum(1, keepdim=True)


class Logits:
    """Gives the mean logits apart."""

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return 10 * real_logits.mean() + fake_logits.mean()

    def generator(self, fake_logits: Tensor) -> Tensor:
        return fake_logits.mean()


def test_pairs_are_of_samples_with_their_codes_and_of_fakes_with_their_noise() -> None:
    batch, z, random = (
        Batch(torch.tensor([[1.0], [3.0]])),
        torch.tensor([[5.0], [7.0]]),
        RowRandom(torch.Generator(), 2),
    )
    step = BiGAN(Doubling(), Difference(), Halving(), None, Logits())  # type: ignore[arg-type]

    real = ((1 - 1.5) + (3 - 4.5)) / 2
    fake = ((10 - 15) + (14 - 21)) / 2
    loss, terms = step.discriminator_loss(batch, random, z)
    assert (loss.item(), terms) == (10 * real + fake, {})
    assert step.pair_loss(batch, random, z).item() == 10 * fake + real


class Squares(nn.Module):
    """Judges a pair by the squares of its members, whose slopes are known."""

    def forward(self, samples: Tensor, z: Tensor) -> Tensor:
        return (samples.square() + 3 * z.square()).sum(1, keepdim=True)


def test_penalty_is_on_the_slope_at_real_samples_and_their_codes_together() -> None:
    samples, z = torch.tensor([[1.0], [3.0]]), torch.tensor([[5.0], [7.0]])
    batch, random = Batch(samples), RowRandom(torch.Generator(), 2)
    with_it, without = (
        BiGAN(Doubling(), Squares(), Halving(), None, Logits(), r1_weight=weight)  # type: ignore[arg-type]
        for weight in (0.5, 0.0)
    )

    loss, terms = with_it.discriminator_loss(batch, random, z)

    codes = samples / 2
    expected = 0.5 / 2 * ((2 * samples) ** 2 + (6 * codes) ** 2).mean()
    assert terms["r1"].item() == pytest.approx(expected.item())
    assert (loss - terms["r1"]).item() == pytest.approx(without.discriminator_loss(batch, random, z)[0].item())


def test_reconstruction_is_of_the_codes_of_the_inputs() -> None:
    samples = torch.rand(5, 3)
    sampler = Reconstruction(Doubling(), Halving(), torch.device("cpu"))

    found = sampler(SampleRequest(count=4, inputs=Batch(samples), batch_size=2))

    torch.testing.assert_close(found, samples[:4])
    with pytest.raises(InputError, match="a reconstruction needs inputs: ganfw sample RUN --input FILE"):
        sampler(SampleRequest(count=4))


def test_probe_is_where_its_loss_is_flat() -> None:
    random = torch.Generator().manual_seed(0)
    inputs, targets = torch.randn(60, 5, generator=random).double(), torch.randint(3, (60,), generator=random)

    weights, biases = (each.requires_grad_() for each in fit_probe(inputs, targets, 3, 0.1))

    loss = cross_entropy(inputs @ weights + biases, targets) + 0.05 * weights.square().sum()
    for gradient in torch.autograd.grad(loss, [weights, biases]):
        assert gradient.abs().max() < 1e-4
