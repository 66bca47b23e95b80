"""Adversarial autoencoder: its losses in plain PyTorch, and its numbers from numpy and scipy."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance
from small_recipes import small
from torch import Tensor, nn
from torch.nn.functional import softplus

import ganfw
from ganfw import Batch, RowRandom
from ganfw_algorithms.aae import AdversarialAutoencoder, CodeMLPDiscriminator, principal_error, sliced_distance

RANDOM = RowRandom(torch.Generator(), 6)


class Halving(nn.Module):
    """An encoder into two numbers, times a weight that is learnt."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.5))

    def forward(self, samples: Tensor) -> dict[str, Tensor]:
        return {"z": self.weight * samples[:, :2], "features": samples}


def test_losses_and_their_gradients_are_those_of_plain_pytorch(registry: ganfw.Registry) -> None:
    generator, encoder, discriminator = nn.Linear(2, 3), Halving(), CodeMLPDiscriminator(2, hidden_dim=3)
    loss = registry.load("loss", "ganfw:bce")()
    step = AdversarialAutoencoder(generator, encoder, discriminator, None, loss)  # type: ignore[arg-type]
    batch, z = Batch(torch.rand(6, 3)), torch.randn(6, 2)

    x, codes = batch.samples, encoder.weight * batch.samples[:, :2]
    error = ((codes @ generator.weight.T + generator.bias - x) ** 2).sum() / 18
    of_noise, of_codes = discriminator(z), discriminator(codes)
    told = (softplus(-of_noise).mean() + softplus(of_codes).mean()) / 2
    deceived = softplus(-of_codes).mean()

    found = step.reconstruction_loss(batch, RANDOM)
    torch.testing.assert_close(found, error)
    weights = [encoder.weight, *generator.parameters()]
    expected = torch.autograd.grad(error, weights, retain_graph=True)
    torch.testing.assert_close(torch.autograd.grad(found, weights), expected)
    found = step.discriminator_loss(batch, RANDOM, z)
    torch.testing.assert_close(found, told)
    inner = tuple(discriminator.parameters())
    expected = torch.autograd.grad(told, inner, retain_graph=True)
    torch.testing.assert_close(torch.autograd.grad(found, inner, retain_graph=True), expected)
    (of_encoder,) = torch.autograd.grad(found, encoder.weight, allow_unused=True)
    assert of_encoder is None
    found = step.encoder_loss(batch, RANDOM)
    torch.testing.assert_close(found, deceived)
    expected = torch.autograd.grad(deceived, encoder.weight)
    torch.testing.assert_close(torch.autograd.grad(found, encoder.weight), expected)


def test_distance_is_the_mean_of_those_on_lines() -> None:
    random = torch.Generator().manual_seed(3)
    first, second = torch.randn(50, 4, generator=random), 2 * torch.rand(50, 4, generator=random) + 1
    lines = torch.randn(4, 100, generator=torch.Generator().manual_seed(0)).numpy()
    lines /= np.linalg.norm(lines, axis=0)

    expected = np.mean([wasserstein_distance(first.numpy() @ line, second.numpy() @ line) for line in lines.T])

    assert sliced_distance(first, second) == pytest.approx(expected, rel=1e-5)
    assert sliced_distance(first, first.flip(0)) == 0


def test_linear_error_is_what_the_first_singular_vectors_leave() -> None:
    random = torch.Generator().manual_seed(1)
    mixed = torch.randn(5, 5, generator=random)
    seen, samples = torch.randn(80, 5, generator=random) @ mixed + 2, torch.randn(20, 5, generator=random) @ mixed + 2

    centre = seen.double().numpy().mean(0)
    vectors = np.linalg.svd(seen.double().numpy() - centre)[2][:2]
    apart = samples.double().numpy() - centre

    assert principal_error(seen, samples, 2) == pytest.approx(np.mean((apart - apart @ vectors.T @ vectors) ** 2))
    assert principal_error(seen, samples, 5) == pytest.approx(0, abs=1e-9)


def test_numbers_are_those_of_the_held_out_images_in_evaluation_mode(registry: ganfw.Registry, tmp_path: Path) -> None:
    experiment = ganfw.assemble(ganfw.resolve(small("mnist_aae", registry), registry))
    ganfw.train(experiment, directory=tmp_path, steps=3)

    (found,) = json.loads((tmp_path / "autoencoding.json").read_text())

    samples = registry.load("data", "ganfw:mnist")(split="test").samples.float() / 255
    generator, encoder = (experiment.networks[name].eval() for name in ("generator", "encoder"))
    with torch.no_grad():
        codes = encoder(samples)["z"]
        error = (generator(codes) - samples).square().mean()
    assert found["reconstruction"] == pytest.approx(float(error), abs=1e-4)
    noise = torch.randn(len(samples), 4, generator=torch.Generator().manual_seed(5))
    assert found["code_distance"] == pytest.approx(sliced_distance(codes, noise), abs=0.03)
    assert 0 < found["prior_distance"] < 0.03


class Line(nn.Module):
    """An encoder that is one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, samples: Tensor) -> dict[str, Tensor]:
        return {"z": self.linear(samples), "features": samples}


def test_encoder_learns_to_give_codes_that_are_distributed_as_the_noise(registry: ganfw.Registry) -> None:
    torch.manual_seed(0)
    encoder, discriminator = Line(), CodeMLPDiscriminator(2, hidden_dim=8)
    loss = registry.load("loss", "ganfw:bce")()
    step = AdversarialAutoencoder(nn.Linear(2, 3), encoder, discriminator, None, loss)  # type: ignore[arg-type]
    data, noise = 3 * torch.randn(2000, 3) + 2, torch.randn(2000, 2)
    optimizers = {
        "code_discriminator": torch.optim.Adam(discriminator.parameters(), 5e-3, betas=(0.5, 0.999)),
        "encoder": torch.optim.Adam(encoder.parameters(), 5e-3, betas=(0.5, 0.999)),
    }

    def distance() -> float:
        with torch.no_grad():
            return sliced_distance(encoder(data)["z"], noise)

    before = distance()
    for _ in range(400):
        batch = Batch(data[torch.randint(2000, (64,))])
        for name, optimizer in optimizers.items():
            optimizer.zero_grad()
            if name == "encoder":
                step.encoder_loss(batch, RANDOM).backward()
            else:
                step.discriminator_loss(batch, RANDOM, torch.randn(64, 2)).backward()
            optimizer.step()
    assert before > 0.5
    assert distance() < 0.2
