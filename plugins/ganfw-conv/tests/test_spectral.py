"""Spectral normalisation: singular values by NumPy, frozen discriminators, saved vectors."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from ganfw_conv.dcgan import ConditionalDCGANDiscriminator, DCGANDiscriminator
from ganfw_conv.resnet import ConditionalResNetDiscriminator, ResNetDiscriminator

SHAPE = (3, 32, 32)
LABELS = torch.arange(4)


def discriminators() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {
        "dcgan": DCGANDiscriminator(SHAPE, base_channels=4, norm="spectral"),
        "dcgan_conditional": ConditionalDCGANDiscriminator(SHAPE, 4, base_channels=4, norm="spectral"),
        "resnet": ResNetDiscriminator(SHAPE, channels=8, attention=16),
        "resnet_conditional": ConditionalResNetDiscriminator(SHAPE, 4, channels=8),
    }


def judge(discriminator: nn.Module, images: torch.Tensor) -> torch.Tensor:
    labels = [LABELS] if "Conditional" in type(discriminator).__name__ else []
    logits: torch.Tensor = discriminator(images, *labels)
    return logits


@pytest.mark.parametrize("name", discriminators())
def test_largest_singular_value_of_every_weight_is_1_after_some_passes(name: str) -> None:
    discriminator = discriminators()[name]
    images = torch.rand(4, *SHAPE)
    for _ in range(200):  # each pass is one power iteration
        judge(discriminator, images)
    layers = [layer for layer in discriminator.modules() if isinstance(layer, nn.Conv2d | nn.Linear | nn.Embedding)]
    assert len(layers) >= 4
    for layer in layers:
        assert parametrize.is_parametrized(layer, "weight")
        matrix = layer.weight.detach().flatten(1).double().numpy()
        assert np.linalg.svd(matrix, compute_uv=False)[0] == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("name", discriminators())
def test_gradients_pass_through_a_frozen_discriminator(name: str) -> None:
    discriminator = discriminators()[name]
    for weight in discriminator.parameters():
        weight.requires_grad_(False)
    images = torch.rand(4, *SHAPE, requires_grad=True)
    judge(discriminator, images).sum().backward()
    assert images.grad.any()
    assert all(weight.grad is None for weight in discriminator.parameters())


@pytest.mark.parametrize("name", discriminators())
def test_a_loaded_discriminator_continues_with_the_same_bits(name: str) -> None:
    one, other = discriminators()[name], discriminators()[name]
    images = torch.rand(4, *SHAPE)
    for _ in range(3):
        judge(one, images)
    assert not torch.equal(judge(one, images), judge(other, images))
    other.load_state_dict(one.state_dict())
    for _ in range(2):
        assert torch.equal(judge(one, images), judge(other, images))


@pytest.mark.parametrize("name", discriminators())
def test_two_passes_before_one_backward_pass_give_the_gradients_of_each(name: str) -> None:
    discriminator = discriminators()[name]
    first, second = torch.rand(2, 4, *SHAPE).unbind()
    (judge(discriminator, first).sum() - judge(discriminator, second).sum()).backward()
    assert all(torch.isfinite(weight.grad).all() for weight in discriminator.parameters())


@pytest.mark.parametrize("name", discriminators())
def test_gradient_of_the_gradient_exists_for_penalties(name: str) -> None:
    discriminator = discriminators()[name]
    images = torch.rand(4, *SHAPE, requires_grad=True)
    (gradient,) = torch.autograd.grad(judge(discriminator, images).sum(), images, create_graph=True)
    gradient.square().sum().backward()
    assert sum(bool(weight.grad.any()) for weight in discriminator.parameters() if weight.grad is not None) >= 4


def test_evaluation_mode_leaves_no_trace() -> None:
    for discriminator in discriminators().values():
        discriminator.eval()
        before = [buffer.clone() for buffer in discriminator.buffers()]
        judge(discriminator, torch.rand(4, *SHAPE))
        assert all(map(torch.equal, before, discriminator.buffers()))
