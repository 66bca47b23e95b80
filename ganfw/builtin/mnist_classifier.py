"""Embeddings by a classifier: the one of MNIST that ganfw ships, and your own."""

from pathlib import Path
from typing import Annotated

import torch

from ganfw import TrainedClassifier

WEIGHTS = Path(__file__).with_name("mnist_classifier.safetensors")
SHA256 = "96a06e139701534a9123744a9a434e3522658bb1c68c913a9a74d877f3d84caf"
"""The hash of the shipped file."""


def mnist_classifier(sample_shape: tuple[int, ...], device: torch.device, /) -> TrainedClassifier:
    """The shipped classifier of MNIST digits: 64 features and the probabilities of ten digits.

    A small convolutional network, trained for 10 epochs from seed 0 by the function behind `ganfw train-evaluator`. For
    images of 1 x 28 x 28 only.

    Raises:
        DataError: the file is damaged.
        InputError: the samples are others.
    """
    return TrainedClassifier.read(
        WEIGHTS, name="mnist_classifier", sha256=SHA256, sample_shape=sample_shape, device=device
    )


def classifier(
    sample_shape: tuple[int, ...],
    device: torch.device,
    /,
    *,
    weights: Annotated[str | None, "file of ganfw train-evaluator; by default the shipped classifier of MNIST"] = None,
) -> TrainedClassifier:
    """Your own classifier, trained by `ganfw train-evaluator`: 64 features and the probabilities of its classes.

    Raises:
        InputError: it has learnt from images of another shape.
        DataError: the file is not a classifier's.
        RunError: the file cannot be read.
    """
    if weights is None:
        return mnist_classifier(sample_shape, device)
    return TrainedClassifier.read(Path(weights), sample_shape=sample_shape, device=device)
