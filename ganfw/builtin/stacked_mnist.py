"""Stacked MNIST: a thousand modes that can be counted."""

from typing import Annotated, Literal

import torch
from annotated_types import Ge

from ganfw import TensorData
from ganfw.builtin.mnist import mnist

SPLITS = ("train", "test")


def stacked_mnist(
    *,
    split: Annotated[Literal["train", "test"], "digits of MNIST's training or test images"] = "train",
    size: Annotated[int, Ge(1), "images to stack"] = 60_000,
    seed: Annotated[int, Ge(0), "which digits are stacked follows from it, whatever the run's seed is"] = 0,
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
    return TensorData(digits.samples[:, 0][chosen], labels, num_classes=1000)
