"""Stacked MNIST: a thousand modes that can be counted, an embedding that reads them, and the metric that counts."""

from typing import Annotated, Literal

import torch
from annotated_types import Ge
from torch import Tensor

from ganfw import InputError, MetricInputs, MetricValue, TensorData
from ganfw.builtin.mixtures import kl_to_uniform
from ganfw.builtin.mnist import mnist
from ganfw.builtin.mnist_classifier import mnist_classifier
from ganfw.builtin.shortfall import no_values

SPLITS = ("train", "test")
SHAPE = (3, 28, 28)
MODES = 1000


def stacked_mnist(
    *,
    split: Annotated[Literal["train", "test"], "digits of MNIST's training or test images"] = "train",
    size: Annotated[int, Ge(1), "images to stack"] = 60_000,
    seed: Annotated[int, Ge(0), "which digits are stacked follows from it, not from the seed of the run"] = 0,
    root: Annotated[str | None, "folder of your own MNIST, in torchvision's layout"] = None,
) -> TensorData:
    """Three independent random MNIST digits as the channels of an image: the numbers 000 to 999.

    Source: Metz et al., "Unrolled Generative Adversarial Networks", 2017, section 3.3.1; Srivastava et al., "VEEGAN",
    2017, section 5.2; Lin et al., "PacGAN", 2018.

    Returns:
        `(size, 3, 28, 28)` uint8 images; the first channel shows the hundreds, the last the units of the label, int64
        in [0, 1000).

    Raises:
        DataError: a file of MNIST is missing or is not the canonical one.
    """
    digits = mnist(split=split, root=root)
    assert digits.labels is not None
    random = torch.Generator().manual_seed(len(SPLITS) * seed + SPLITS.index(split))
    chosen = torch.randint(len(digits), (size, 3), generator=random)
    labels = digits.labels[chosen] @ torch.tensor([100, 10, 1])
    return TensorData(digits.samples[:, 0][chosen], labels, num_classes=MODES, licence=digits.licence)


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
            raise InputError(f"stacked_mnist_classifier needs images of 3 x 28 x 28, but the samples are {shape}")
        self.digits = mnist_classifier((1, 28, 28), device)

    @property
    def identity(self) -> str:
        """A name, and the hash of the classifier's file."""
        return f"stacked_{self.digits.identity}"

    def __call__(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Return features `(n, 3 d)` and probabilities `(n, 1000)`, float32, of `(n, 3, 28, 28)` uint8."""
        features, probabilities = zip(*(self.digits(channel) for channel in samples.split(1, dim=1)), strict=True)
        numbers = torch.einsum("na,nb,nc->nabc", *probabilities).flatten(1)
        return torch.cat(features, dim=1), numbers


class StackedModes:
    """Counts the numbers from 000 to 999 that a classifier reads in the channels of samples.

    `stacked_modes_found` is how many different numbers are read; `stacked_mode_kl` is the Kullback-Leibler divergence
    KL(q || u) in nats of the shares of the numbers read from the uniform distribution on all 1,000. Both depend on how
    many samples there are: published results are of 26,000, for which perfect samples, uniform on the modes, have a
    divergence of about (1000 - 1) / (2 * 26000) = 0.019, and not 0.

    Source: Metz et al., "Unrolled Generative Adversarial Networks", 2017, section 3.3.1; Srivastava et al., "VEEGAN",
    2017, section 5.2; Lin et al., "PacGAN", 2018, whose "reverse" divergence this is. Published results
    each have a classifier of their own.
    """

    def __call__(self, inputs: MetricInputs) -> dict[str, MetricValue]:
        """Return `stacked_modes_found` and `stacked_mode_kl`."""
        probabilities = inputs.samples.probabilities
        if probabilities is None or probabilities.shape[1] != MODES:
            known = "no" if probabilities is None else probabilities.shape[1]
            reason = f"the embedding knows {known} classes, not {MODES}: use = 'stacked_mnist_classifier'"
            return no_values(reason, stacked_modes_found="higher", stacked_mode_kl="lower")
        counts = probabilities.argmax(1).bincount(minlength=MODES)
        return {
            "stacked_modes_found": MetricValue(float((counts > 0).sum()), "higher"),
            "stacked_mode_kl": kl_to_uniform(counts),
        }
