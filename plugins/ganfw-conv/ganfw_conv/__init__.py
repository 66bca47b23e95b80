"""Convolutional networks for ganfw: those of DCGAN, SNGAN, StyleGAN2 and R3GAN, conditional on the class or not."""

from collections.abc import Iterator

from ganfw import Part, hookimpl


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    """Return this package's parts; their modules are imported when a recipe uses them."""

    def part(kind: str, name: str, target: str, help: str) -> Part:  # noqa: A002 - the field's name
        return Part(kind=kind, name=name, target=f"ganfw_conv{target}", help=help)

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
    yield part("generator", "style", ".style:StyleGenerator", "StyleGAN2's: a mapping to w, which scales the weights")
    yield part(
        "generator",
        "style_conditional",
        ".style:ConditionalStyleGenerator",
        "style with the class beside the noise",
    )
    yield part("generator", "r3gan", ".r3gan:R3GANGenerator", "residual blocks without any normalisation")
    yield part(
        "generator",
        "r3gan_conditional",
        ".r3gan:ConditionalR3GANGenerator",
        "r3gan with the class beside the noise",
    )
    yield part("generator", "progressive", ".progressive:ProgressiveGenerator", "images that grow in training")
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
        ".style_discriminator:StyleDiscriminator",
        "StyleGAN2's residual blocks, with the minibatch deviation",
    )
    yield part(
        "discriminator",
        "style_conditional",
        ".style_discriminator:ConditionalStyleDiscriminator",
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
        ".progressive:ProgressiveDiscriminator",
        "sees images that grow, with the minibatch deviation",
    )
    yield part(
        "step",
        "progressive",
        ".progressive_growing:ProgressiveGrowing",
        "the classic step, from small images to large ones",
    )
    yield part("regularizer", "path_length", ".path_length:PathLength", "steps in w move the image equally far")
    yield part("sampler", "style", ".style_sampler:StyleSampler", "style-based generators, with truncation in w")
    yield part("recipe", "mnist_dcgan", ":mnist_dcgan.toml", "MNIST with DCGAN: good digits within minutes")
    yield part("recipe", "mnist_resnet", ":mnist_resnet.toml", "MNIST with residual networks and spectral norm")
    yield part("recipe", "mnist_dcgan_conditional", ":mnist_dcgan_conditional.toml", "MNIST with DCGAN, digit by digit")
    yield part("recipe", "mnist_style", ":mnist_style.toml", "MNIST with StyleGAN2's networks, small")
    yield part("recipe", "mnist_progressive", ":mnist_progressive.toml", "MNIST with images that grow")
    yield part("recipe", "mnist_conv_fast", ":mnist_conv_fast.toml", "MNIST, digit by digit, in ten minutes")
    yield part("recipe", "mnist_r3gan", ":mnist_r3gan.toml", "MNIST with R3GAN's networks and loss")
    yield part("recipe", "stacked_mnist_r3gan", ":stacked_mnist_r3gan.toml", "a thousand modes with R3GAN's networks")
    yield part("recipe", "cifar10_dcgan", ":cifar10_dcgan.toml", "CIFAR-10 with DCGAN, for a GPU")
    yield part("recipe", "cifar10_resnet", ":cifar10_resnet.toml", "CIFAR-10 with SNGAN's residual networks, for a GPU")
    yield part(
        "recipe",
        "cifar10_resnet_conditional",
        ":cifar10_resnet_conditional.toml",
        "the same class by class, with a projection discriminator",
    )
    yield part("recipe", "cifar10_r3gan", ":cifar10_r3gan.toml", "CIFAR-10 class by class with R3GAN, for a GPU")
    yield part(
        "recipe", "cifar10_style", ":cifar10_style.toml", "CIFAR-10 with StyleGAN2's networks and ADA, for a GPU"
    )
    yield part("recipe", "images_dcgan_64", ":images_dcgan_64.toml", "your own images at 64 pixels with DCGAN")
    yield part("recipe", "images_resnet_64", ":images_resnet_64.toml", "your own images at 64 pixels with SNGAN")
    yield part("recipe", "images_r3gan_64", ":images_r3gan_64.toml", "your own images at 64 pixels with R3GAN")
    yield part(
        "recipe", "images_style_64", ":images_style_64.toml", "your own images at 64 pixels with StyleGAN2 and ADA"
    )
