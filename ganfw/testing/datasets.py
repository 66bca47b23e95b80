"""What data must do."""

from pathlib import Path

import torch

from ganfw.testing.subject import Subject, labels_of, samples_of


def serves_samples(subject: Subject, _folder: Path) -> None:
    """Batches are float32 and finite, images `(channels, height, width)` in [0, 1]; labels are below num_classes."""
    batches = subject.experiment().batches
    batch = next(batches.epoch(0))
    shape = (len(batch.samples), *batches.sample_shape)
    samples = subject.require_tensor(batch.samples, "a batch of it", shape)
    low, high = float(samples.min()), float(samples.max())
    in_range = len(batches.sample_shape) != 3 or (low >= 0 and high <= 1)
    subject.require(in_range, f"its values are from {low:.3g} to {high:.3g}; images are in [0, 1]")
    if batch.labels is None:
        return
    subject.require(batch.labels.dtype == torch.int64, f"its labels are {batch.labels.dtype}, not torch.int64")
    classes = batches.num_classes
    subject.require(classes is not None, "it has labels and does not say how many classes there are")
    known = classes is not None and bool(((batch.labels >= 0) & (batch.labels < classes)).all())
    subject.require(known, f"it has labels outside 0, 1, ..., {(classes or 0) - 1}")


def is_the_same_every_time(subject: Subject, _folder: Path) -> None:
    """Built again, it serves the same samples in the same order."""
    first, second = (subject.experiment() for _ in range(2))
    subject.require(first.batches.size == second.batches.size, "built again it has another size")
    count = min(first.batches.size, 64)
    same = torch.equal(samples_of(first, count), samples_of(second, count))
    subject.require(same, "built again it has other samples: draw random data from a generator with a fixed seed")
    labels = labels_of(first, count), labels_of(second, count)
    equal = labels[0] is None or (labels[1] is not None and torch.equal(labels[0], labels[1]))
    subject.require(equal, "built again it has other labels")
