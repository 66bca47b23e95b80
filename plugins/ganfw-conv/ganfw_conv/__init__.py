"""Convolutional networks for ganfw: those of DCGAN, SNGAN, StyleGAN2 and R3GAN, conditional on the class or not."""

from collections.abc import Iterator

from ganfw import Part, hookimpl


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    """Return this package's parts; their modules are imported when a recipe uses them."""

    def part(kind: str, name: str, target: str, help: str) -> Part:  # noqa: A002 - the field's name
        return Part(kind=kind, name=name, target=f"ganfw_conv{target}", help=help)

    def recipe(name: str, help: str) -> Part:  # noqa: A002
        return part("recipe", name, f".recipes:{name}.toml", help)

    yield part("generator", "dcgan", ".dcgan:DCGANGenerator", "transposed convolutions with BatchNorm")
    yield part(
        "generator",
        "dcgan_conditional",
        ".dcgan:ConditionalDCGANGenerator",
        "dcgan with the class beside the noise",
    )
    yield part("generator", "resnet", ".resnet:ResNetGenerator", "SNGAN's residual blocks, self-attention if wished")
    yield part(
        "generator",
        "resnet_conditional",
        ".resnet:ConditionalResNetGenerator",
        "resnet with conditional BatchNorm",
    )
    yield part(
        "generator", "style", ".style.generator:StyleGenerator", "StyleGAN2's: a mapping to w, which scales the weights"
    )
    yield part(
        "generator",
        "style_conditional",
        ".style.generator:ConditionalStyleGenerator",
        "style with the class beside the noise",
    )
    yield part("generator", "r3gan", ".r3gan:R3GANGenerator", "residual blocks without any normalisation")
    yield part(
        "generator",
        "r3gan_conditional",
        ".r3gan:ConditionalR3GANGenerator",
        "r3gan with the class beside the noise",
    )
    yield part("generator", "progressive", ".progressive.networks:ProgressiveGenerator", "images that grow in training")
    yield part("discriminator", "dcgan", ".dcgan:DCGANDiscriminator", "strided convolutions with LeakyReLU")
    yield part(
        "discriminator",
        "dcgan_conditional",
        ".dcgan:ConditionalDCGANDiscriminator",
        "dcgan that judges by the class too, by projection",
    )
    yield part(
        "discriminator",
        "resnet",
        ".resnet:ResNetDiscriminator",
        "SNGAN's residual blocks with spectral normalisation",
    )
    yield part(
        "discriminator",
        "resnet_conditional",
        ".resnet:ConditionalResNetDiscriminator",
        "resnet that judges by the class too, by projection",
    )
    yield part(
        "discriminator",
        "style",
        ".style.discriminator:StyleDiscriminator",
        "StyleGAN2's residual blocks, with the minibatch deviation",
    )
    yield part(
        "discriminator",
        "style_conditional",
        ".style.discriminator:ConditionalStyleDiscriminator",
        "style that judges by the class too, by projection",
    )
    yield part("discriminator", "r3gan", ".r3gan:R3GANDiscriminator", "residual blocks without any normalisation")
    yield part(
        "discriminator",
        "r3gan_conditional",
        ".r3gan:ConditionalR3GANDiscriminator",
        "r3gan that judges by the class too, by projection",
    )
    yield part(
        "discriminator",
        "progressive",
        ".progressive.networks:ProgressiveDiscriminator",
        "sees images that grow, with the minibatch deviation",
    )
    yield part(
        "step",
        "progressive",
        ".progressive.step:ProgressiveGrowing",
        "the classic step, from small images to large ones",
    )
    yield part("regularizer", "path_length", ".style.path_length:PathLength", "steps in w move the image equally far")
    yield part("sampler", "style", ".style.sampler:StyleSampler", "style-based generators, with truncation in w")
    yield recipe("mnist_dcgan", "MNIST with DCGAN: good digits within minutes")
    yield recipe("mnist_resnet", "MNIST with residual networks and spectral norm")
    yield recipe("mnist_dcgan_conditional", "MNIST with DCGAN, digit by digit")
    yield recipe("mnist_style", "MNIST with StyleGAN2's networks, small")
    yield recipe("mnist_progressive", "MNIST with images that grow")
    yield recipe("mnist_conv_fast", "MNIST, digit by digit, in ten minutes")
    yield recipe("mnist_r3gan", "MNIST with R3GAN's networks and loss")
    yield recipe("stacked_mnist_r3gan", "a thousand modes with R3GAN's networks")
    yield recipe("cifar10_dcgan", "CIFAR-10 with DCGAN, for a GPU")
    yield recipe("cifar10_resnet", "CIFAR-10 with SNGAN's residual networks, for a GPU")
    yield recipe("cifar10_resnet_conditional", "the same class by class, with a projection discriminator")
    yield recipe("cifar10_r3gan", "CIFAR-10 class by class with R3GAN, for a GPU")
    yield recipe("cifar10_style", "CIFAR-10 with StyleGAN2's networks and ADA, for a GPU")
    yield recipe("images_dcgan_64", "your own images at 64 pixels with DCGAN")
    yield recipe("images_resnet_64", "your own images at 64 pixels with SNGAN")
    yield recipe("images_r3gan_64", "your own images at 64 pixels with R3GAN")
    yield recipe("images_style_64", "your own images at 64 pixels with StyleGAN2 and ADA")
