"""What data must do."""

import torch

from ganfw.testing.subject import Subject

_MOST_ROWS = 64


def serves_samples(subject: Subject) -> None:
    """Batches are finite float32 in the data's range; labels are floats, or classes below num_classes, -1 for none."""
    batches = subject.again(f"run.batch_size={_MOST_ROWS}").batches
    batch, classes = next(batches.epoch(0)), batches.num_classes
    subject.require_samples(batch.samples, "a batch of it", len(batch))
    for name, entry in batch.more.items():
        finite = len(entry) == len(batch) and bool(torch.isfinite(entry).all())
        subject.require(finite, f"its entry '{name}' must be finite, with a row for each sample")
    if batch.labels is None or batch.labels.is_floating_point():
        return
    subject.require(batch.labels.dtype == torch.int64, f"its labels are {batch.labels.dtype}, not torch.int64")
    subject.require(classes is not None, "it has labels and does not say how many classes there are")
    known = classes is not None and bool(((batch.labels >= -1) & (batch.labels < classes)).all())
    subject.require(known, f"it has labels outside 0, 1, ..., {(classes or 0) - 1}, and -1 for none")


def is_the_same_every_time(subject: Subject) -> None:
    """Built again, it serves the same samples in the same order."""
    first, second = (each.batches for each in (subject, subject.again()))
    subject.require(first.size == second.size, "built again it has another size")
    ours, theirs = (
        {"samples": batch.samples, "labels": batch.labels, **batch.more}
        for batch in (first.first(_MOST_ROWS), second.first(_MOST_ROWS))
    )
    subject.require(ours.keys() == theirs.keys(), "built again it has other entries")
    for name, entry in ours.items():
        other = theirs[name]
        same = entry is other is None or (entry is not None and other is not None and torch.equal(entry, other))
        complaint = f"built again it has other {name}: draw random data from a generator with a fixed seed"
        subject.require(same, complaint)
