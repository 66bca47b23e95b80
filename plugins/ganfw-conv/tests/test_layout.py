"""The layout of maps in memory: faster on a CPU, and the same numbers."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ganfw_conv import dcgan, resnet
from ganfw_conv.dcgan import DCGANDiscriminator, DCGANGenerator
from ganfw_conv.resnet import ResNetDiscriminator, ResNetGenerator

SHAPE = (3, 32, 32)
NETWORKS: dict[str, tuple[Callable[[], nn.Module], Tensor]] = {
    "dcgan generator": (lambda: DCGANGenerator(5, SHAPE, base_channels=4), torch.randn(3, 5)),
    "dcgan discriminator": (lambda: DCGANDiscriminator(SHAPE, base_channels=4), torch.rand(3, *SHAPE)),
    "resnet generator": (lambda: ResNetGenerator(5, SHAPE, channels=8), torch.randn(3, 5)),
    "resnet discriminator": (lambda: ResNetDiscriminator(SHAPE, channels=8, spectral=False), torch.rand(3, *SHAPE)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_maps_have_their_channels_last_on_a_cpu_and_the_same_values(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, inputs = NETWORKS[name]
    network, layouts = make(), []
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.register_forward_hook(
                lambda _layer, _inputs, output: layouts.append(
                    output.is_contiguous(memory_format=torch.channels_last) or output.shape[1] == 1
                )
            )
    found = network(inputs)
    assert layouts
    assert all(layouts)

    for module in (dcgan, resnet):
        monkeypatch.setattr(module, "faster_layout", lambda x: x)
    layouts.clear()
    torch.testing.assert_close(network(inputs), found)
    assert not all(layouts)
