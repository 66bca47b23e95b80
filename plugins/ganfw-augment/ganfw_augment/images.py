"""Which samples can be augmented as images."""

from ganfw import InputError


def require_image(sample_shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return (channels, height, width).

    Raises:
        InputError: the samples are not images of 1 or 3 channels.
    """
    if len(sample_shape) != 3 or sample_shape[0] not in (1, 3):
        raise InputError(
            f"this augmentation needs images, (1 or 3, height, width), not samples of shape {sample_shape}"
        )
    channels, height, width = sample_shape
    return channels, height, width
