"""Langevin steps in the noise: with logits whose density is known they end where they must."""

import pytest
import torch
from small_recipes import small
from torch import Tensor, nn

import ganfw
from ganfw import InputError, SampleRequest
from ganfw_algorithms.latent_langevin import LatentLangevin

COUNT = 40_000


class Normal:
    """Noise from N(0, I)."""

    z_dim, device = 2, torch.device("cpu")

    def __call__(self, count: int, random: torch.Generator) -> Tensor:
        return torch.randn(count, 2, generator=random)


class Quadratic(nn.Module):
    """Gives logits shift · x - curvature |x|^2 / 2, for which the noise has a normal density."""

    def __init__(self, shift: list[float], curvature: float) -> None:
        super().__init__()
        self.shift, self.curvature = torch.tensor(shift), curvature

    def forward(self, samples: Tensor) -> Tensor:
        return (samples @ self.shift - self.curvature * samples.square().sum(1) / 2)[:, None]


def test_many_short_steps_reach_the_density_of_the_energy() -> None:
    sampler = LatentLangevin(nn.Identity(), Quadratic([1.0, -2.0], 3.0), Normal(), steps=200, step_size=0.02)
    found = sampler(SampleRequest(count=COUNT))
    # The exponent is shift · z - (1 + curvature) |z|^2 / 2: the mean is shift / 4 and the variance 1 / 4.
    assert found.mean(0).tolist() == pytest.approx([0.25, -0.5], abs=0.01)
    assert found.var(0).tolist() == pytest.approx([0.25, 0.25], rel=0.05)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_a_few_steps_have_the_moments_of_the_recursion(temperature: float) -> None:
    sampler = LatentLangevin(
        nn.Identity(), Quadratic([1.0, -2.0], 3.0), Normal(), steps=3, step_size=0.1, temperature=temperature
    )
    found = sampler(SampleRequest(count=COUNT))
    mean, variance = torch.zeros(2), 1.0
    for _ in range(3):
        kept = 1 - 0.05 * (1 + 3 / temperature)
        mean, variance = kept * mean + 0.05 * torch.tensor([1.0, -2.0]) / temperature, kept**2 * variance + 0.1
    assert found.mean(0).tolist() == pytest.approx(mean.tolist(), abs=0.015)
    assert found.var(0).tolist() == pytest.approx([variance] * 2, rel=0.03)


def test_without_steps_samples_are_those_of_the_generator() -> None:
    found = LatentLangevin(nn.Identity(), Quadratic([1.0, 0.0], 1.0), Normal(), steps=0)(SampleRequest(count=5, seed=3))
    assert torch.equal(found, ganfw.draw_noise(Normal(), 5, seed=3))


class Shifted(nn.Module):
    """Gives the noise plus the label."""

    num_classes = 3

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        return z + labels[:, None]


class Patches(nn.Module):
    """Gives logits of two patches, of which only one grows; their mean has half the slope."""

    def forward(self, samples: Tensor, labels: Tensor) -> Tensor:
        grows = labels * samples[:, 0]
        return torch.stack([grows, torch.zeros_like(grows)], dim=1)[:, None]


def test_rows_have_their_labels_and_the_mean_logit_of_patches() -> None:
    sampler, z = LatentLangevin(Shifted(), Patches(), Normal()), torch.randn(4, 2)
    found = sampler.energy_gradient(z, torch.tensor([0, 1, 2, 4]), batch_size=3)
    torch.testing.assert_close(found, z - torch.tensor([[0.0, 0.0], [0.5, 0.0], [1.0, 0.0], [2.0, 0.0]]))
    for steps in (0, 2):
        made = LatentLangevin(Shifted(), Patches(), Normal(), steps=steps)(SampleRequest(count=30_000))
        assert made.unflatten(0, (-1, 3)).mean((0, 2)).tolist() == pytest.approx([0.0, 1.0, 2.0], abs=0.1)


def test_networks_are_left_as_they_are(registry: ganfw.Registry) -> None:
    experiment = ganfw.assemble(ganfw.resolve(small("mnist_acgan", registry), registry))
    generator, discriminator = (experiment.networks[name] for name in ("generator", "discriminator"))
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    assert experiment.source.noise is not None
    sampler = LatentLangevin(generator, discriminator, experiment.source.noise, steps=2)
    with torch.no_grad():
        samples = sampler(SampleRequest(count=4))
    assert samples.shape == (4, 1, 28, 28)
    assert all(torch.equal(before[name], value) for name, value in generator.state_dict().items())
    assert generator.training
    assert all(each.grad is None for each in (*generator.parameters(), *discriminator.parameters()))


def test_what_it_cannot_do_is_refused() -> None:
    sampler = LatentLangevin(nn.Identity(), Quadratic([1.0, 0.0], 1.0), Normal())
    with pytest.raises(InputError, match="the number of samples must be >= 1, not 0"):
        sampler(SampleRequest(count=0))
    with pytest.raises(InputError, match="moves noise out of any bounds; leave --truncation out"):
        sampler(SampleRequest(count=1, truncation=0.5))
