"""The networks of the reference GAN, layer by layer."""

import torch
from torch import nn

from ganfw import Registry


def layers(network: nn.Module) -> list[str]:
    return [str(module) for module in network.modules() if not list(module.children())]


def test_generator_has_the_reference_layers(registry: Registry) -> None:
    generator = registry.load("generator", "mlp")(64, (1, 28, 28))

    expected = []
    for n_in, n_out in ((64, 128), (128, 256), (256, 512), (512, 1024)):
        expected += [
            f"Linear(in_features={n_in}, out_features={n_out}, bias=True)",
            str(nn.BatchNorm1d(n_out)),
            "ReLU(inplace=True)",
        ]
    expected += [
        "Linear(in_features=1024, out_features=784, bias=True)",
        "Sigmoid()",
        str(nn.Unflatten(1, (1, 28, 28))),
    ]
    assert layers(generator) == expected


def test_discriminator_has_the_reference_layers(registry: Registry) -> None:
    discriminator = registry.load("discriminator", "mlp")((1, 28, 28))

    expected = [str(nn.Flatten())]
    for n_in, n_out in ((784, 512), (512, 256), (256, 128)):
        expected += [
            f"Linear(in_features={n_in}, out_features={n_out}, bias=True)",
            "LeakyReLU(negative_slope=0.2)",
        ]
    assert layers(discriminator) == [*expected, "Linear(in_features=128, out_features=1, bias=True)"]


def test_networks_take_any_sample_shape_and_width(registry: Registry) -> None:
    for shape in ((3, 8, 6), (2,)):
        generator = registry.load("generator", "mlp")(5, shape, hidden_dim=2)
        discriminator = registry.load("discriminator", "mlp")(shape, hidden_dim=3)

        fake = generator(torch.randn(4, 5)).detach()

        assert fake.shape == (4, *shape)
        assert 0 < float(fake.min()) < float(fake.max()) < 1
        assert discriminator(fake).shape == (4, 1)


def test_points_may_lie_anywhere_and_norms_be_left_out(registry: Registry) -> None:
    generator = registry.load("generator", "mlp")(2, (2,), hidden_dim=4, norm="none", output="linear")

    assert layers(generator) == [
        "Linear(in_features=2, out_features=4, bias=True)",
        "ReLU(inplace=True)",
        "Linear(in_features=4, out_features=8, bias=True)",
        "ReLU(inplace=True)",
        "Linear(in_features=8, out_features=16, bias=True)",
        "ReLU(inplace=True)",
        "Linear(in_features=16, out_features=32, bias=True)",
        "ReLU(inplace=True)",
        "Linear(in_features=32, out_features=2, bias=True)",
        str(nn.Unflatten(1, (2,))),
    ]
    with torch.no_grad():
        generator[-2].weight.zero_()
        generator[-2].bias.copy_(torch.tensor([-9.0, 7.0]))
        assert generator(torch.randn(3, 2)).tolist() == [[-9, 7]] * 3
