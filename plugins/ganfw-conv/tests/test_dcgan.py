"""The DCGAN against its paper: the shape of the network, and where it normalises."""

import pytest
import torch
from torch import nn

from ganfw_conv.dcgan import ConditionalDCGANGenerator, DCGANDiscriminator, DCGANGenerator


def kinds(network: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in network.modules() if not list(layer.children())]


def test_maps_of_the_generator_are_those_of_figure_1() -> None:
    shapes = []
    generator = DCGANGenerator(100, (3, 64, 64), base_channels=128)
    for layer in generator:
        if isinstance(layer, nn.Unflatten | nn.ConvTranspose2d):
            layer.register_forward_hook(lambda layer, inputs, output: shapes.append(tuple(output.shape[1:])))
    generator(torch.zeros(2, 100))
    assert shapes == [(1024, 4, 4), (512, 8, 8), (256, 16, 16), (128, 32, 32), (3, 64, 64)]


@pytest.mark.parametrize(("side", "start"), [(28, 7), (32, 4), (64, 4)])
def test_generator_starts_from_7_or_4_pixels(side: int, start: int) -> None:
    unflatten = next(layer for layer in DCGANGenerator(8, (1, side, side)) if isinstance(layer, nn.Unflatten))
    assert unflatten.unflattened_size[1:] == (start, start)


def test_last_layer_of_the_generator_and_first_of_the_discriminator_have_no_batch_norm() -> None:
    assert kinds(DCGANGenerator(8, (1, 28, 28), base_channels=4)) == [
        *("Linear", "ToMaps", "BatchNorm2d", "ReLU"),
        *("ConvTranspose2d", "BatchNorm2d", "ReLU"),
        *("ConvTranspose2d", "ToUnit"),
    ]
    assert kinds(DCGANDiscriminator((1, 28, 28), base_channels=4)) == [
        "FromUnit",
        *("Conv2d", "LeakyReLU"),
        *("Conv2d", "BatchNorm2d", "LeakyReLU"),
        *("Flatten", "Linear"),
    ]


def test_weights_start_from_a_normal_distribution_of_width_0_02() -> None:
    torch.manual_seed(0)
    for network in (DCGANGenerator(64, (1, 28, 28)), DCGANDiscriminator((1, 28, 28))):
        weights = torch.cat([weight.flatten() for weight in network.parameters() if weight.ndim > 1])
        assert abs(weights.mean().item()) < 5 * 0.02 / len(weights) ** 0.5
        assert weights.std().item() == pytest.approx(0.02, rel=5 / (2 * len(weights)) ** 0.5)


def test_discriminator_sees_images_between_minus_1_and_1() -> None:
    seen = []
    discriminator = DCGANDiscriminator((1, 28, 28), base_channels=4)
    discriminator[1].register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    discriminator(torch.tensor([0.0, 0.25, 1.0]).view(3, 1, 1, 1).expand(3, 1, 28, 28))
    assert [row.unique().tolist() for row in seen[0]] == [[-1.0], [-0.5], [1.0]]


def test_embeddings_start_as_long_as_a_one_hot_vector() -> None:
    torch.manual_seed(0)
    lengths = ConditionalDCGANGenerator(8, (1, 28, 28), 1000, embedding_dim=32).embedding.weight.norm(dim=1)
    assert lengths.square().mean().item() == pytest.approx(1, rel=5 * (2 / 32_000) ** 0.5)
