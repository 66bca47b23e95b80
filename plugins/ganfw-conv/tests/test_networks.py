"""What all networks of the package do: sizes, ranges, gradients, seeds, refusals."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

import ganfw
from ganfw_conv.dcgan import (
    ConditionalDCGANDiscriminator,
    ConditionalDCGANGenerator,
    DCGANDiscriminator,
    DCGANGenerator,
)
from ganfw_conv.progressive.networks import ProgressiveDiscriminator, ProgressiveGenerator
from ganfw_conv.r3gan import (
    ConditionalR3GANDiscriminator,
    ConditionalR3GANGenerator,
    R3GANDiscriminator,
    R3GANGenerator,
)
from ganfw_conv.resnet import (
    ConditionalResNetDiscriminator,
    ConditionalResNetGenerator,
    ResNetDiscriminator,
    ResNetGenerator,
)
from ganfw_conv.style.discriminator import ConditionalStyleDiscriminator, StyleDiscriminator
from ganfw_conv.style.generator import ConditionalStyleGenerator, StyleGenerator

SHAPES = [(channels, side, side) for side in (28, 32, 64) for channels in (1, 3)]
CLASSES = 4
Z_DIM = 5

GENERATORS: dict[str, Callable[[tuple[int, ...]], nn.Module]] = {
    "dcgan": lambda shape: DCGANGenerator(Z_DIM, shape, base_channels=4),
    "dcgan without norm": lambda shape: DCGANGenerator(Z_DIM, shape, base_channels=4, norm="none"),
    "dcgan_conditional": lambda shape: ConditionalDCGANGenerator(Z_DIM, shape, CLASSES, base_channels=4),
    "resnet": lambda shape: ResNetGenerator(Z_DIM, shape, channels=8),
    "resnet with attention": lambda shape: ResNetGenerator(Z_DIM, shape, channels=8, attention=shape[1] // 2),
    "resnet_conditional": lambda shape: ConditionalResNetGenerator(Z_DIM, shape, CLASSES, channels=8),
    "style": lambda shape: StyleGenerator(Z_DIM, shape, base_channels=4),
    "style_conditional": lambda shape: ConditionalStyleGenerator(Z_DIM, shape, CLASSES, base_channels=4),
    "progressive": lambda shape: ProgressiveGenerator(Z_DIM, shape, base_channels=4),
    "r3gan": lambda shape: R3GANGenerator(Z_DIM, shape, base_channels=8),
    "r3gan with patches": lambda shape: R3GANGenerator(Z_DIM, shape, base_channels=8, patch=2),
    "r3gan_conditional": lambda shape: ConditionalR3GANGenerator(Z_DIM, shape, CLASSES, base_channels=8),
}
DISCRIMINATORS: dict[str, Callable[[tuple[int, ...]], nn.Module]] = {
    "dcgan": lambda shape: DCGANDiscriminator(shape, base_channels=4),
    "dcgan without norm": lambda shape: DCGANDiscriminator(shape, base_channels=4, norm="none"),
    "dcgan spectral": lambda shape: DCGANDiscriminator(shape, base_channels=4, norm="spectral"),
    "dcgan_conditional": lambda shape: ConditionalDCGANDiscriminator(shape, CLASSES, base_channels=4),
    "dcgan_conditional spectral": lambda shape: ConditionalDCGANDiscriminator(
        shape, CLASSES, base_channels=4, norm="spectral"
    ),
    "resnet": lambda shape: ResNetDiscriminator(shape, channels=8),
    "resnet without norm": lambda shape: ResNetDiscriminator(shape, channels=8, spectral=False),
    "resnet with attention": lambda shape: ResNetDiscriminator(shape, channels=8, attention=shape[1] // 2),
    "resnet_conditional": lambda shape: ConditionalResNetDiscriminator(shape, CLASSES, channels=8),
    "style": lambda shape: StyleDiscriminator(shape, base_channels=4),
    "style_conditional": lambda shape: ConditionalStyleDiscriminator(shape, CLASSES, base_channels=4),
    "progressive": lambda shape: ProgressiveDiscriminator(shape, base_channels=4),
    "r3gan": lambda shape: R3GANDiscriminator(shape, base_channels=8),
    "r3gan with patches": lambda shape: R3GANDiscriminator(shape, base_channels=8, patch=2),
    "r3gan_conditional": lambda shape: ConditionalR3GANDiscriminator(shape, CLASSES, base_channels=8),
}


def labels_of(count: int) -> Tensor:
    return torch.arange(count) % CLASSES


def build(make: Callable[[tuple[int, ...]], nn.Module], shape: tuple[int, ...], seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make(shape)


def uniform(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", GENERATORS)
def test_generator_makes_images_between_0_and_1(name: str, shape: tuple[int, ...]) -> None:
    generator = build(GENERATORS[name], shape)
    for z in (normal(4, Z_DIM), 1e4 * normal(4, Z_DIM)):
        images = ganfw.call_network(generator, z, labels=labels_of(4))
        assert images.shape == (4, *shape)
        assert images.dtype == torch.float32
        assert 0 <= images.min() < images.max() <= 1


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_discriminator_gives_a_logit_for_each_image(name: str, shape: tuple[int, ...]) -> None:
    logits = ganfw.call_network(build(DISCRIMINATORS[name], shape), uniform(4, *shape), labels=labels_of(4))
    assert logits.shape == (4, 1)
    assert logits.dtype == torch.float32
    assert len(set(logits.flatten().tolist())) == 4


@pytest.mark.parametrize("shape", [(1, 28, 20), (2, 48, 40), (3, 10, 12)], ids=str)
@pytest.mark.parametrize("name", ["dcgan", "resnet", "style", "progressive", "r3gan"])
def test_other_sizes_that_can_be_halved_are_taken(name: str, shape: tuple[int, ...]) -> None:
    images = build(GENERATORS[name], shape)(normal(2, Z_DIM))
    assert images.shape == (2, *shape)
    assert build(DISCRIMINATORS[name], shape)(images).shape == (2, 1)


@pytest.mark.parametrize("name", GENERATORS)
def test_gradients_reach_every_parameter_of_a_generator(name: str) -> None:
    generator = build(GENERATORS[name], (3, 32, 32))
    awaken(generator)
    for _ in fades_of(generator):
        images = ganfw.call_network(generator, normal(8, Z_DIM), labels=labels_of(8))
        (images * uniform(*images.shape)).sum().backward()
    assert without_gradient(generator) == []


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_gradients_reach_every_parameter_of_a_discriminator_and_its_input(name: str) -> None:
    discriminator = build(DISCRIMINATORS[name], (3, 32, 32))
    awaken(discriminator)
    images = uniform(8, 3, 32, 32).requires_grad_()
    for _ in fades_of(discriminator):
        ganfw.call_network(discriminator, images, labels=labels_of(8)).square().sum().backward()
    assert without_gradient(discriminator) == []
    assert (images.grad.flatten(1).abs().sum(1) > 0).all()


def awaken(network: nn.Module) -> None:
    """Let self-attention and the residual branches of R3GAN, whose last weights start at 0, take part."""
    for name, parameter in network.named_parameters():
        if name.endswith("gamma"):
            nn.init.constant_(parameter, 0.5)
        if name.endswith("third.weight"):
            nn.init.normal_(parameter, std=0.1)


def fades_of(network: nn.Module) -> Iterator[None]:
    """Put a network that grows in the middle of each fade; others once as they are."""
    for stage in range(getattr(network, "last_stage", 1)):
        if hasattr(network, "grow"):
            network.grow(stage + 0.5)
        yield


def without_gradient(network: nn.Module) -> list[str]:
    return [
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is None or not torch.isfinite(parameter.grad).all() or not parameter.grad.any()
    ]


@pytest.mark.parametrize("name", [*GENERATORS, *DISCRIMINATORS])
def test_weights_are_a_function_of_the_seed(name: str) -> None:
    make = {**GENERATORS, **DISCRIMINATORS}[name]
    first, again, other = (list(build(make, (1, 28, 28), seed).parameters()) for seed in (1, 1, 2))
    assert all(map(torch.equal, first, again))
    assert not all(map(torch.equal, first, other))


@pytest.mark.parametrize("name", ["dcgan without norm", "resnet without norm", "r3gan"])
def test_discriminator_without_norm_judges_each_image_alone(name: str) -> None:
    discriminator, images = build(DISCRIMINATORS[name], (1, 28, 28)), uniform(8, 1, 28, 28)
    others = torch.cat([images[:4], torch.zeros_like(images[:4])])
    assert torch.equal(discriminator(images)[:4], discriminator(others)[:4])


@pytest.mark.parametrize("name", ["dcgan_conditional", "resnet_conditional", "style_conditional", "r3gan_conditional"])
def test_class_changes_what_a_conditional_generator_makes(name: str) -> None:
    generator = build(GENERATORS[name], (1, 28, 28)).eval()
    for layer in generator.modules():
        if isinstance(layer, nn.Embedding):  # those of BatchNorm start the same for all classes
            nn.init.normal_(layer.weight, 1, 0.1)
    zeros, ones = (generator(normal(3, Z_DIM), torch.full((3,), label)) for label in (0, 1))
    assert not torch.equal(zeros, ones)


@pytest.mark.parametrize("name", ["dcgan_conditional", "resnet_conditional", "style_conditional", "r3gan_conditional"])
def test_conditional_generator_samples_each_class_in_turn(name: str) -> None:
    class Fixed:
        """Gives one noise vector again and again, so that only the class tells samples apart."""

        z_dim = Z_DIM
        device = torch.device("cpu")

        def __call__(self, count: int, random: torch.Generator) -> Tensor:
            return normal(1, Z_DIM).expand(count, Z_DIM)

    generator = build(GENERATORS[name], (1, 28, 28))
    for layer in generator.modules():
        if isinstance(layer, nn.Embedding):
            nn.init.normal_(layer.weight, 1, 0.1)
    images = ganfw.sample(generator, Fixed(), 2 * CLASSES + 1)
    assert generator.num_classes == CLASSES
    for first in range(len(images)):
        for second in range(len(images)):
            same = torch.allclose(images[first], images[second], atol=1e-6)
            assert same == (first % CLASSES == second % CLASSES)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ConditionalDCGANGenerator(Z_DIM, (1, 28, 28), None),
        lambda: ConditionalDCGANDiscriminator((1, 28, 28), None),
        lambda: ConditionalResNetGenerator(Z_DIM, (1, 28, 28), None),
        lambda: ConditionalResNetDiscriminator((1, 28, 28), None),
        lambda: ConditionalStyleGenerator(Z_DIM, (1, 28, 28), None),
        lambda: ConditionalStyleDiscriminator((1, 28, 28), None),
        lambda: ConditionalR3GANGenerator(Z_DIM, (1, 28, 28), None),
        lambda: ConditionalR3GANDiscriminator((1, 28, 28), None),
    ],
)
def test_data_without_labels_is_refused_by_conditional_networks(make: Callable[[], nn.Module]) -> None:
    with pytest.raises(ganfw.InputError) as refusal:
        make()
    assert str(refusal.value) == "a conditional network needs data with labels; this data has none"


@pytest.mark.parametrize("make", [DCGANDiscriminator, ResNetDiscriminator, StyleDiscriminator, R3GANDiscriminator])
def test_samples_that_are_no_images_are_refused(make: Callable[..., nn.Module]) -> None:
    with pytest.raises(ganfw.InputError) as refusal:
        make((2,))
    assert str(refusal.value) == "convolutions need images, (channels, height, width), not samples of shape (2,)"


@pytest.mark.parametrize(
    ("make", "least"),
    [
        (lambda shape: DCGANGenerator(Z_DIM, shape), 8),
        (DCGANDiscriminator, 8),
        (lambda shape: ResNetGenerator(Z_DIM, shape), 8),
        (ResNetDiscriminator, 10),
        (lambda shape: StyleGenerator(Z_DIM, shape), 8),
        (StyleDiscriminator, 8),
        (lambda shape: ProgressiveGenerator(Z_DIM, shape), 8),
        (ProgressiveDiscriminator, 8),
        (lambda shape: R3GANGenerator(Z_DIM, shape), 8),
        (R3GANDiscriminator, 8),
    ],
)
@pytest.mark.parametrize("side", [27, 6])
def test_images_that_cannot_be_halved_are_refused(make: Callable[..., nn.Module], least: int, side: int) -> None:
    with pytest.raises(ganfw.InputError) as refusal:
        make((1, side, side))
    assert str(refusal.value) == (
        f"images of {side} x {side} pixels cannot be halved: both sides must be even and at least {least}"
    )


@pytest.mark.parametrize(
    ("make", "heights"),
    [
        (lambda: ResNetGenerator(Z_DIM, (1, 28, 28), attention=8), "14, 28"),
        (lambda: ResNetDiscriminator((1, 28, 28), attention=8), "14, 7"),
    ],
)
def test_attention_where_there_is_no_map_is_refused(make: Callable[[], nn.Module], heights: str) -> None:
    with pytest.raises(ganfw.InputError) as refusal:
        make()
    assert str(refusal.value) == f"attention = 8: the maps here have heights {heights}"
