"""Slant: its measure on strokes of known slope, networks and samples that are given a number, and its metric."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import affine_transform
from small_recipes import small
from torch import Tensor, nn

import ganfw
from ganfw import InputError, MetricInputs, SampleRequest, SampleSet
from ganfw_algorithms.slant import (
    NumberMLPDiscriminator,
    NumberMLPGenerator,
    NumberTraversal,
    SlantError,
    slant_of,
    slanted_digits,
)


def stroke(slope: float) -> Tensor:
    """Return an image with a stroke that goes this many pixels to the right for each that it goes up."""
    rows, columns = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    return torch.exp(-((columns - 14 - slope * (14 - rows)) ** 2) / 4)[None] * ((rows - 14).abs() < 8)


@pytest.mark.parametrize("slope", [-0.6, 0.0, 0.3, 0.6])
def test_slant_of_a_stroke_is_its_slope(slope: float) -> None:
    assert slant_of(stroke(slope)[None]).item() == pytest.approx(slope, abs=1e-3)


def test_slant_is_that_of_numpys_covariance_and_shearing_takes_it_away() -> None:
    digits = ganfw.discover().load("data", "ganfw:mnist")(split="test").samples[:20]
    rows, columns = np.mgrid[:28, :28]
    for image, slant in zip(digits[:, 0].numpy(), slant_of(digits).tolist(), strict=True):
        covariance = np.cov(np.stack([-rows.ravel(), columns.ravel()]), fweights=image.ravel(), bias=True)
        assert slant == pytest.approx(covariance[0, 1] / covariance[0, 0], abs=1e-5)
        shear = np.array([[1.0, 0.0], [-slant, 1.0]])
        upright = affine_transform(image.astype(np.float32), shear, offset=[0.0, slant * 14], order=1)
        assert slant_of(torch.from_numpy(upright)[None, None]).item() == pytest.approx(0, abs=0.05)


def test_slant_of_an_image_without_height_is_zero() -> None:
    images = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    images[1, 0, 3, 2:5] = 255
    assert slant_of(images).tolist() == [0.0, 0.0]


def test_labels_of_the_data_are_the_slants_of_its_digits() -> None:
    data = slanted_digits(split="test")
    assert data.labels is not None
    assert (data.labels.dtype, data.labels.shape) == (torch.float32, (10_000,))
    assert torch.equal(data.labels[:50], slant_of(data.samples[:50]))


def test_logit_is_a_linear_function_and_an_inner_product_with_the_number() -> None:
    torch.manual_seed(0)
    network, samples, labels = NumberMLPDiscriminator((1, 4, 4), hidden_dim=3), torch.rand(5, 1, 4, 4), torch.randn(5)

    features = samples.flatten(1)
    for layer in (network.trunk[1][row][0] for row in range(3)):
        features = nn.functional.leaky_relu(features @ layer.weight.T + layer.bias, 0.2)
    first, _, second = network.embedding
    hidden = nn.functional.leaky_relu(labels[:, None] * first.weight[:, 0] + first.bias, 0.2)
    embedded = hidden @ second.weight.T + second.bias
    expected = features @ network.logit.weight[0] + network.logit.bias
    expected = expected + (features * embedded).sum(1) / math.sqrt(3)

    torch.testing.assert_close(network(samples, labels), expected[:, None])


class Echo(nn.Module):
    """Gives the noise and the number."""

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        return torch.cat([z, labels[:, None]], dim=1)


class Uniform:
    """Noise on [0, 1)."""

    z_dim, device = 2, torch.device("cpu")

    def __call__(self, count: int, random: torch.Generator) -> Tensor:
        return torch.rand(count, 2, generator=random)


def test_numbers_of_a_row_go_from_low_to_high_with_the_same_noise() -> None:
    found = NumberTraversal(Echo(), Uniform(), low=-0.5, high=1.0, columns=4)(SampleRequest(count=10))

    assert found[:, 2].tolist() == pytest.approx([-0.5, 0.0, 0.5, 1.0, -0.5, 0.0, 0.5, 1.0, -0.5, 0.0])
    rows = found[:8, :2].unflatten(0, (2, 4))
    assert torch.equal(rows, rows[:, :1].expand(-1, 4, -1))
    assert not torch.equal(rows[0, 0], rows[1, 0])


def test_labels_that_are_asked_for_are_taken_with_a_noise_each() -> None:
    labels = torch.tensor([0.3, -2.0, 0.1])
    found = NumberTraversal(Echo(), Uniform())(SampleRequest(count=3, labels=labels, seed=4))
    assert torch.equal(found[:, 2], labels)
    assert torch.equal(found[:, :2], ganfw.draw_noise(Uniform(), 3, seed=4))


def test_no_samples_are_refused() -> None:
    with pytest.raises(InputError, match="the number of samples must be >= 1, not 0"):
        NumberTraversal(Echo(), Uniform())(SampleRequest(count=0))


def measured(images: Tensor, labels: Tensor | None) -> dict[str, ganfw.MetricValue]:
    samples = SampleSet(images, torch.zeros(len(images), 2).double(), labels=labels)
    return dict(SlantError()(MetricInputs(samples, samples, samples)))


def test_error_and_correlation_are_those_of_numpy() -> None:
    slopes, asked = [-0.4, 0.0, 0.2, 0.5], torch.tensor([-0.1, 0.1, 0.0, 0.7])
    images = (255 * torch.stack([stroke(slope) for slope in slopes])).to(torch.uint8)

    found = {name: each.value for name, each in measured(images, asked).items()}

    assert found["slant_error"] == pytest.approx((0.3 + 0.1 + 0.2 + 0.2) / 4, abs=2e-3)
    assert found["slant_correlation"] == pytest.approx(np.corrcoef(slopes, asked.numpy())[0, 1], abs=2e-3)
    assert found["slant_error_shuffled"] == pytest.approx((1.1 + 0.1 + 0.1 + 0.5) / 4, abs=2e-3)


@pytest.mark.parametrize("labels", [None, torch.tensor([3, 4])])
def test_without_numbers_that_were_asked_for_there_is_no_error(labels: Tensor | None) -> None:
    found = measured(torch.zeros(2, 1, 8, 8, dtype=torch.uint8), labels)
    reason = "the samples were made without labels that are numbers"
    assert [(each.value, each.reason) for each in found.values()] == [(None, reason)] * 3


def test_a_generator_that_is_shown_pairs_learns_to_follow_the_number(registry: ganfw.Registry) -> None:
    torch.manual_seed(0)
    generator, slopes = NumberMLPGenerator(2, (1, 28, 28), hidden_dim=8), torch.linspace(-0.5, 0.5, 16)
    images = torch.stack([stroke(float(slope)) for slope in slopes])
    optimizer = torch.optim.Adam(generator.parameters(), 1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        (generator(torch.randn(16, 2), slopes) - images).square().mean().backward()
        optimizer.step()
    made = ganfw.generate(generator, torch.zeros(16, 2), labels=slopes)
    assert torch.corrcoef(torch.stack([slant_of(made), slopes]))[0, 1] > 0.9


def test_a_run_is_sampled_with_one_number(registry: ganfw.Registry, tmp_path: Path) -> None:
    experiment = ganfw.assemble(ganfw.resolve(small("mnist_slant", registry), registry))
    directory = ganfw.create_run_directory(tmp_path, experiment)
    ganfw.train(experiment, directory=directory, steps=3)
    checkpoint = ganfw.open_checkpoint(directory)

    same = checkpoint.source(registry, "cpu", ["sampler.low=0.3", "sampler.high=0.3", "sampler.columns=1"]).sample(4)

    generator = checkpoint.source(registry, "cpu").networks["generator"]
    z = ganfw.draw_noise(experiment.source.noise, 4)  # type: ignore[arg-type]
    assert torch.equal(same, ganfw.generate(generator, z, labels=torch.full((4,), 0.3)))
