"""The residual networks against the paper (Miyato et al., 2018, appendix B.4, table 4)."""

import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d, interpolate, relu

from ganfw_conv.resnet import ResNetDiscriminator, ResNetGenerator


def test_sizes_of_the_generator_are_those_of_table_4() -> None:
    shapes = []
    generator = ResNetGenerator(16, (3, 32, 32), channels=8)
    for block in generator.layers.blocks:
        block.register_forward_hook(lambda block, inputs, output: shapes.append(tuple(output.shape[1:])))
    generator(torch.zeros(2, 16))
    assert shapes == [(8, 8, 8), (8, 16, 16), (8, 32, 32)]


@pytest.mark.parametrize(("side", "sizes"), [(28, [14, 7, 7, 7]), (32, [16, 8, 8, 8]), (64, [32, 16, 8, 8, 8])])
def test_discriminator_halves_down_to_8_or_7_and_then_keeps_the_size(side: int, sizes: list[int]) -> None:
    shapes = []
    discriminator = ResNetDiscriminator((1, side, side), channels=8)
    for block in [*discriminator.features.halving, *discriminator.features.keeping]:
        block.register_forward_hook(lambda block, inputs, output: shapes.append(tuple(output.shape[1:])))
    discriminator(torch.zeros(2, 1, side, side))
    assert shapes == [(8, size, size) for size in sizes]


def convolve(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return nn.functional.conv2d(x, layer.weight, layer.bias, padding=layer.kernel_size[0] // 2)


def test_block_of_the_generator_convolves_its_doubled_input_in_both_branches() -> None:
    torch.manual_seed(0)
    block = ResNetGenerator(16, (1, 28, 28), channels=4).layers.blocks[0].eval()
    x = torch.randn(3, 4, 7, 7)
    doubled = interpolate(x, scale_factor=2)
    y = convolve(block.first, interpolate(relu(block.norms[0](x)), scale_factor=2))
    y = convolve(block.second, relu(block.norms[1](y)))
    torch.testing.assert_close(block(x), y + convolve(block.shortcut, doubled))


def test_block_of_the_discriminator_halves_the_output_of_both_branches() -> None:
    torch.manual_seed(0)
    block = ResNetDiscriminator((1, 28, 28), channels=4, spectral=False).features.halving[1]
    x = torch.randn(3, 4, 14, 14)
    y = convolve(block.second, relu(convolve(block.first, relu(x))))
    torch.testing.assert_close(block(x), avg_pool2d(y + convolve(block.shortcut, x), 2))


def test_discriminator_sums_over_places() -> None:
    discriminator = ResNetDiscriminator((1, 28, 28), channels=4).eval()
    maps = []
    discriminator.features.keeping.register_forward_hook(lambda layer, inputs, output: maps.append(output))
    features = discriminator.features(torch.rand(2, 1, 28, 28))
    torch.testing.assert_close(features, maps[0].clamp(min=0).sum((2, 3)))
