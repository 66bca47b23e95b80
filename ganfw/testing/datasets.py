"""What data must do."""

import torch

from ganfw.testing.subject import Subject, comparable

_MOST_ROWS = 64


def serves_samples(subject: Subject) -> None:
    """Batches are finite float32 in the data's range; labels are floats, or classes below num_classes, -1 for none."""
    batches = subject.again(f"run.batch_size={_MOST_ROWS}").batches
    batch, classes = next(batches.epoch(0)), batches.num_classes
    for name, entry in batch.more.items():
        finite = len(entry) == len(batch) and bool(torch.isfinite(entry).all())
        assert finite, f"its entry '{name}' must be finite, with a row for each sample"
    if batch.labels is not None and not batch.labels.is_floating_point():
        assert classes is not None, "it has labels and does not say how many classes there are"


def is_the_same_every_time(subject: Subject) -> None:
    """Built again, it serves the same samples in the same order."""
    first, second = (each.batches for each in (subject, subject.again()))
    assert first.size == second.size, "built again it has another size"
    ours, theirs = (
        {"samples": batch.samples, "labels": batch.labels, **batch.more}
        for batch in (first.first(_MOST_ROWS), second.first(_MOST_ROWS))
    )
    assert ours.keys() == theirs.keys(), "built again it has other entries"
    for name, entry in ours.items():
        same = comparable(entry) == comparable(theirs[name])
        assert same, f"built again it has other {name}: draw random data from a generator with a fixed seed"
