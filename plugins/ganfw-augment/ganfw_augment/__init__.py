"""Augmentations for ganfw: DiffAugment, adaptive discriminator augmentation, instance noise; and label smoothing."""

from collections.abc import Iterator

from ganfw import Part, hookimpl


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    """Return this package's parts; their modules are imported when a recipe uses them."""
    yield Part(
        kind="augmentation",
        name="diffaugment",
        target="ganfw_augment.diffaugment:DiffAugment",
        help="colour, translation and cutout of every sample",
    )
    yield Part(
        kind="augmentation",
        name="ada",
        target="ganfw_augment.ada:ADA",
        help="shifts, turns, zooms and colour, as often as the discriminator overfits",
    )
    yield Part(
        kind="augmentation",
        name="instance_noise",
        target="ganfw_augment.instance_noise:InstanceNoise",
        help="Gaussian noise that fades away",
    )
    yield Part(
        kind="loss",
        name="bce_smooth",
        target="ganfw_augment.bce_smooth:SmoothBCE",
        help="binary cross-entropy with a target below 1 for real samples",
    )
    yield Part(
        kind="recipe",
        name="mnist_small_diffaugment",
        target="ganfw_augment:mnist_small_diffaugment.toml",
        help="10,000 digits of MNIST, DiffAugment",
    )
    yield Part(
        kind="recipe",
        name="mnist_small_ada",
        target="ganfw_augment:mnist_small_ada.toml",
        help="10,000 digits of MNIST, adaptive augmentation",
    )
