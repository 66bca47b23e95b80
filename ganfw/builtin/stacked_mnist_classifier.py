"""An embedding for Stacked MNIST: the shipped classifier of digits, channel by channel."""

import torch
from torch import Tensor

from ganfw import InputError, TrainedClassifier
from ganfw.builtin.mnist_classifier import mnist_classifier

SHAPE = (3, 28, 28)


class StackedMNISTClassifier:
    """Reads each channel with the shipped classifier of MNIST digits.

    Features are those of the three channels, one after the other. The probability of a number from 000 to 999 is the
    product of the probabilities of its digits, so that the most probable number is that of the most probable digits.

    Raises:
        InputError: the samples are not of three channels of 28 x 28.
        DataError: the classifier's file is damaged.
    """

    def __init__(self, sample_shape: tuple[int, ...], device: torch.device, /) -> None:
        if sample_shape != SHAPE:
            shape = " x ".join(map(str, sample_shape))
            raise InputError(f"stacked_mnist_classifier knows images of 3 x 28 x 28, and the samples are {shape}")
        self.digits: TrainedClassifier = mnist_classifier((1, 28, 28), device)

    @property
    def identity(self) -> str:
        """A name, and the hash of the classifier's file."""
        return f"stacked_{self.digits.identity}"

    def __call__(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Return features `(n, 3 d)` and probabilities `(n, 1000)`, float32, of `(n, 3, 28, 28)` uint8."""
        features, probabilities = zip(*(self.digits(channel) for channel in samples.split(1, dim=1)), strict=True)
        numbers = torch.einsum("na,nb,nc->nabc", *probabilities).flatten(1)
        return torch.cat(features, dim=1), numbers
