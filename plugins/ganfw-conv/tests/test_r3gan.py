"""R3GAN's networks: where they start, what a block and a change of size compute, and what they have none of."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate

import ganfw
from ganfw_conv.r3gan import ConditionalR3GANDiscriminator, R3GANDiscriminator, R3GANGenerator

SIDES = [28, 32, 64]


def blocks_of(network: nn.Module) -> list[nn.Module]:
    return [module for module in network.modules() if type(module).__name__ == "_Block"]


def awaken(network: nn.Module) -> None:
    """Give the last convolutions of blocks, which start at 0, other weights."""
    for block in blocks_of(network):
        nn.init.normal_(block.third.weight, std=0.2)


def act(x: Tensor) -> Tensor:
    return x.clamp(min=0) + 0.2 * x.clamp(max=0)


def mix(layer: nn.Module, x: Tensor) -> Tensor:
    """Apply a convolution of 1 x 1 without bias, or none, as a product of channels."""
    return x if isinstance(layer, nn.Identity) else torch.einsum("oi,nihw->nohw", layer.weight[:, :, 0, 0], x)


@pytest.mark.parametrize("side", SIDES)
def test_generator_starts_as_its_path_without_blocks(side: int) -> None:
    torch.manual_seed(0)
    generator = R3GANGenerator(5, (3, side, side), base_channels=8, max_channels=32, blocks=2)
    layers, z = generator.layers, torch.randn(4, 5)
    x = layers.basis * (z @ layers.scale.weight.T)[:, :, None, None]
    for change in layers.changes:
        x = interpolate(mix(change, x), scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(generator(z), torch.sigmoid(2 * mix(layers.end, x)))
    awaken(generator)
    assert not torch.allclose(generator(z), torch.sigmoid(2 * mix(layers.end, x)), atol=1e-3)


@pytest.mark.parametrize("side", SIDES)
def test_discriminator_starts_as_its_path_without_blocks(side: int) -> None:
    torch.manual_seed(0)
    discriminator = R3GANDiscriminator((3, side, side), base_channels=8, max_channels=32, blocks=2)
    features, images = discriminator.features, torch.rand(4, 3, side, side)
    x = mix(features.start, 2 * images - 1)
    for change in features.changes:
        x = (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 4
        x = mix(change, x)
    logits = torch.einsum("nchw,chw,c->n", x, features.basis, discriminator.head.weight[0])
    torch.testing.assert_close(discriminator(images), logits[:, None])


def test_means_of_four_are_bilinear_interpolation_to_half_the_size() -> None:
    x = torch.rand(2, 3, 8, 8)
    halved = interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=False)
    torch.testing.assert_close(nn.functional.avg_pool2d(x, 2), halved)


def test_block_adds_three_convolutions_with_leaky_relus_between_them() -> None:
    torch.manual_seed(0)
    block = blocks_of(R3GANGenerator(5, (1, 28, 28), base_channels=8, group_channels=4))[-1]
    awaken(block)
    nn.init.normal_(block.first.bias)
    nn.init.normal_(block.second.bias)
    x = torch.randn(2, 8, 6, 6)
    y = act(mix(block.first, x) + block.first.bias[:, None, None])
    groups = zip(y.split(4, dim=1), block.second.weight.split(4), strict=True)  # 16 channels in four groups
    y = torch.cat([conv2d(channels, weight, padding=1) for channels, weight in groups], dim=1)
    y = act(y + block.second.bias[:, None, None])
    torch.testing.assert_close(block(x), x + mix(block.third, y))


@pytest.mark.parametrize("blocks", [1, 3])
@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_weights_start_as_wide_as_the_depth_asks_for(network: str, blocks: int) -> None:
    torch.manual_seed(0)
    shape, keys = (3, 32, 32), {"base_channels": 64, "max_channels": 64, "blocks": blocks}
    built = R3GANGenerator(64, shape, **keys) if network == "generator" else R3GANDiscriminator(shape, **keys)
    depth = 4 * blocks  # 32, 16, 8 and 4 pixels
    assert len(blocks_of(built)) == depth
    in_blocks = math.sqrt(2 / 1.04) / depth**0.25
    for block in blocks_of(built):
        assert block.first.weight.std().item() == pytest.approx(in_blocks / math.sqrt(64), rel=0.05)
        assert block.second.weight.std().item() == pytest.approx(in_blocks / math.sqrt(16 * 9), rel=0.05)
        assert not block.third.weight.any()
        assert not block.first.bias.any()
        assert not block.second.bias.any()
    if network == "generator":
        assert built.layers.scale.weight.std().item() == pytest.approx(1 / 8, rel=0.06)
        assert built.layers.basis.std().item() == pytest.approx(1, rel=0.1)
        assert built.layers.end.weight.std().item() == pytest.approx(1 / 8, rel=0.2)
    else:
        assert built.features.start.weight.std().item() == pytest.approx(1 / math.sqrt(3), rel=0.2)
        assert built.features.basis.std().item() == pytest.approx(1 / 4, rel=0.1)


def test_changes_of_width_start_from_the_same_rule() -> None:
    torch.manual_seed(0)
    changes = R3GANGenerator(5, (1, 28, 28), base_channels=64).layers.changes
    assert [tuple(change.weight.shape) for change in changes] == [(128, 256, 1, 1), (64, 128, 1, 1)]
    for change, inputs in zip(changes, (256, 128), strict=True):
        assert change.weight.std().item() == pytest.approx(inputs**-0.5, rel=0.05)


def test_no_layer_normalises() -> None:
    for network in (R3GANGenerator(5, (1, 28, 28)), R3GANDiscriminator((1, 28, 28))):
        kinds = {type(layer).__name__ for layer in network.modules() if not list(layer.children())}
        assert kinds <= {"Conv2d", "Linear", "Identity"}
        assert list(network.buffers()) == []


@pytest.mark.parametrize("patch", [1, 2])
def test_each_row_is_treated_alone(patch: int) -> None:
    torch.manual_seed(0)
    generator = R3GANGenerator(5, (1, 28, 28), base_channels=8, patch=patch)
    discriminator = ConditionalR3GANDiscriminator((1, 28, 28), 3, base_channels=8, patch=patch)
    awaken(generator)
    awaken(discriminator)
    z, images, labels = torch.randn(6, 5), torch.rand(6, 1, 28, 28), torch.tensor([0, 1, 2, 2, 1, 0])
    torch.testing.assert_close(generator(z)[2:3], generator(z[2:3]))
    torch.testing.assert_close(discriminator(images, labels)[2:3], discriminator(images[2:3], labels[2:3]))


@pytest.mark.parametrize(
    ("side", "patch", "sizes"),
    [(28, 1, [7, 14, 28]), (28, 2, [7, 14]), (32, 1, [4, 8, 16, 32]), (64, 2, [4, 8, 16, 32]), (64, 4, [4, 8, 16])],
)
def test_maps_double_from_7_or_4_places(side: int, patch: int, sizes: list[int]) -> None:
    shapes: list[tuple[int, ...]] = []
    generator = R3GANGenerator(5, (1, side, side), base_channels=8, max_channels=16, patch=patch)
    for block in blocks_of(generator):
        block.register_forward_hook(lambda block, inputs, output: shapes.append(tuple(output.shape[1:])))
    generator(torch.zeros(2, 5))
    assert shapes == [(8 if size == sizes[-1] else 16, size, size) for size in sizes]


def test_patches_are_squares_of_pixels() -> None:
    torch.manual_seed(0)
    discriminator = R3GANDiscriminator((2, 28, 28), base_channels=8, patch=2)
    seen: list[Tensor] = []
    discriminator.features.start.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    images = torch.rand(3, 2, 28, 28)
    discriminator(images)
    squares = images.reshape(3, 2, 14, 2, 14, 2).permute(0, 1, 3, 5, 2, 4).flatten(1, 3)
    torch.testing.assert_close(seen[0], 2 * squares - 1)


def test_channels_that_cannot_be_put_into_groups_are_refused() -> None:
    with pytest.raises(ganfw.InputError) as refusal:
        R3GANGenerator(5, (1, 28, 28), base_channels=12)
    assert str(refusal.value) == (
        "the 24 channels inside a block cannot be put into groups: group_channels = 16 must divide expansion times "
        "base_channels, and times max_channels"
    )


def test_images_that_cannot_be_cut_into_squares_are_refused() -> None:
    with pytest.raises(ganfw.InputError) as refusal:
        R3GANDiscriminator((1, 28, 30), patch=4)
    assert str(refusal.value) == "images of 28 x 30 pixels cannot be cut into squares: patch = 4 must divide both sides"
