"""Noise is found again of what a generator has made."""

import pytest
import torch
from torch import Tensor, nn

from ganfw import InputError, Noise, Registry, invert


@pytest.fixture
def noise(device: torch.device, registry: Registry) -> Noise:
    found: Noise = registry.load("noise", "normal")(device, z_dim=3)
    return found


class Conditional(nn.Module):
    """Draws class 1 upside down."""

    num_classes = 2

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 16)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        drawn = torch.sigmoid(self.layer(z)).reshape(-1, 1, 4, 4)
        return torch.where(labels[:, None, None, None] == 1, drawn.flip(2), drawn)


def plain() -> nn.Module:
    torch.manual_seed(0)
    layers = (
        nn.Linear(3, 32),
        nn.BatchNorm1d(32),
        nn.Tanh(),
        nn.Linear(32, 16),
        nn.Sigmoid(),
        nn.Unflatten(1, (1, 4, 4)),
    )
    return nn.Sequential(*layers)


def test_what_a_generator_has_made_is_found(noise: Noise) -> None:
    generator = plain().to(noise.device)
    planted = noise(5, torch.Generator(noise.device).manual_seed(1))
    with torch.no_grad():
        samples = generator.eval()(planted)
    generator.train()
    before = {name: value.clone() for name, value in generator.state_dict().items()}

    nearest, far = invert(generator, noise, samples, steps=0)
    z, errors = invert(generator, noise, samples)

    torch.testing.assert_close(z, planted.cpu(), rtol=0, atol=0.05)
    assert (errors < far / 50).all()
    with torch.no_grad():
        made = generator.eval()(z.to(noise.device))
    torch.testing.assert_close((made - samples).square().flatten(1).mean(1).cpu(), errors)
    assert nearest.shape == (5, 3)
    assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())
    assert all(weight.grad is None for weight in generator.parameters())


def test_it_draws_nothing_of_others_and_is_the_same_for_one_seed(noise: Noise) -> None:
    generator, samples = plain().to(noise.device), torch.rand(2, 1, 4, 4, device=noise.device)
    state = torch.get_rng_state()

    first, second = (invert(generator, noise, samples, seed=4, steps=5) for _ in range(2))

    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(*pair) for pair in zip(first, second, strict=True))
    assert generator.training


def test_a_class_is_kept(noise: Noise) -> None:
    torch.manual_seed(0)
    generator, labels = Conditional().to(noise.device), torch.tensor([0, 1, 1], device=noise.device)
    planted = noise(3, torch.Generator(noise.device).manual_seed(1))
    with torch.no_grad():
        samples = generator(planted, labels)

    z, errors = invert(generator, noise, samples, labels=labels)

    torch.testing.assert_close(z, planted.cpu(), rtol=0, atol=0.05)
    assert errors.max() < 1e-4
    assert invert(generator, noise, samples, labels=1 - labels)[1].min() > 1e-3


def test_what_cannot_be_searched_is_reported(noise: Noise) -> None:
    with pytest.raises(InputError) as caught:
        invert(plain(), noise, torch.rand(1, 1, 4, 4), steps=-1)
    assert str(caught.value) == "the number of steps must be >= 0, not -1"
