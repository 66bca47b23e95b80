"""Which sizes a convolutional network's maps have between an image and its smallest map."""

from ganfw import InputError


def halvings(sample_shape: tuple[int, ...], smallest: int) -> list[tuple[int, int]]:
    """Return the (height, width) of maps from the image's own down, each half of the one before.

    Halving ends where a side is odd or would fall below `smallest`: with 4, 28 pixels give 28, 14, 7, and 64 pixels
    give 64, 32, 16, 8, 4.

    Args:
        sample_shape: `(channels, height, width)`.
        smallest: the least side of a map.

    Returns:
        At least two sizes.

    Raises:
        InputError: the samples are not images, or cannot be halved even once.
    """
    if len(sample_shape) != 3:
        raise InputError(f"convolutions need images, (channels, height, width), not samples of shape {sample_shape}")
    _, height, width = sample_shape
    sizes = [(height, width)]
    while not height % 2 and not width % 2 and min(height, width) // 2 >= smallest:
        height, width = height // 2, width // 2
        sizes.append((height, width))
    if len(sizes) == 1:
        raise InputError(
            f"images of {height} x {width} pixels cannot be halved: both sides must be even and at least {2 * smallest}"
        )
    return sizes
