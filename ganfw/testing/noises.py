"""What noise must do."""

import torch
from torch import Tensor

from ganfw.protocols import TruncatableNoise
from ganfw.testing.subject import Subject

_ROWS = 4096


def draws_vectors(subject: Subject) -> None:
    """It gives as many vectors of length z_dim as it is asked for, float32, on its device."""
    noise = subject.part
    for count in (1, 7):
        z = subject.require_tensor(noise(count, subject.random()), "what it draws", (count, noise.z_dim))
        assert z.device == noise.device, f"it draws on {z.device}, and says that it is on {noise.device}"


def draws_only_from_the_generator(subject: Subject) -> None:
    """What it draws follows from the generator that it is given; it neither uses nor changes the global ones."""
    noise = subject.part
    with subject.draws_nothing("draw from the one that it is given"):
        first, again = (noise(7, subject.random()) for _ in range(2))
    assert torch.equal(first, again), "with one seed it draws other numbers the second time"
    other = noise(7, subject.random(1))
    assert not torch.equal(first, other), "with another seed it draws the same numbers"
    random = subject.random()
    assert not torch.equal(noise(7, random), noise(7, random)), (
        "it does not move the generator on: its second draw is its first"
    )


def rows_are_independent(subject: Subject) -> None:
    """Rows differ, and one says nothing of the next."""
    z = subject.part(_ROWS, subject.random()).double()
    assert not torch.equal(z[:1].expand_as(z), z), "all rows are the same"
    z = z - z.mean(0)
    total = z.square().sum()
    for distance in (1, 2):
        similarity = float((z[:-distance] * z[distance:]).sum() / total)
        assert abs(similarity) < 6 / _ROWS**0.5, (
            f"a row says something of the one {distance} further on: they correlate by {similarity:.2f}"
        )


def coordinates_vary(subject: Subject) -> None:
    """Every coordinate varies, and none is a copy of another."""
    z = subject.part(_ROWS, subject.random()).double()
    spread = z.std(0)
    still = (spread < 1e-6).nonzero().flatten().tolist()
    assert not still, f"coordinates that never vary: {still[:5]}"
    if z.shape[1] > 1:
        correlation = torch.corrcoef(z.T).abs().fill_diagonal_(0)
        left, right = divmod(int(correlation.argmax()), len(correlation))
        assert correlation.max() < 0.99, f"coordinates {left} and {right} are copies of each other"


def truncation_shrinks(subject: Subject) -> None:
    """Truncated, it keeps within the threshold, and moves continuously with it; at 0 nothing is left but the mean."""
    noise = subject.part
    if not isinstance(noise, TruncatableNoise):
        return

    def draw(threshold: float) -> Tensor:
        return noise.truncated(threshold)(500, subject.random())

    for threshold in (0.0, 0.1, 0.5, 1.0, 2.0):
        z = subject.require_tensor(draw(threshold), f"what it draws truncated at {threshold}", (500, noise.z_dim))
        largest = float(z.abs().max())
        assert largest <= threshold, f"truncated at {threshold} it still draws {largest:.4g}"
        step = threshold / 1000
        moved = float((draw(threshold + step) - z).abs().max()) if threshold else 0.0
        assert moved <= 10 * step + 1e-6, (
            f"from threshold {threshold} to {threshold + step} a coordinate jumps by {moved:.3g}: with one seed, "
            "samples must move continuously with the threshold"
        )
