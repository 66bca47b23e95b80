"""Series that are sines, and the metric that fits sines to series."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from ganfw import MetricInputs, SampleSet
from ganfw_datasets.sines import SineFit, sines


def inputs(samples: Tensor, reference: Tensor) -> MetricInputs:
    sets = [SampleSet(each, each.flatten(1).double()) for each in (samples, reference)]
    return MetricInputs(*sets, training=sets[1])


def sine(frequency: float, amplitude: float, length: int = 64) -> Tensor:
    time = torch.arange(length) / length
    return amplitude * torch.sin(2 * math.pi * (frequency * time + 0.3))


def test_every_series_is_a_sine_within_its_limits() -> None:
    data = sines(lowest=2.0, highest=3.0, size=500)

    frequency, amplitude, residual = SineFit(lowest=1.5, highest=3.5).fit(data.samples)

    assert data.samples.shape == (500, 64)
    assert data.samples.abs().max() <= 1
    assert residual.max() < 1e-3
    assert 1.99 < frequency.min() < 2.05
    assert 2.95 < frequency.max() < 3.01
    assert 0.49 < amplitude.min() < 0.52
    assert 0.98 < amplitude.max() < 1.01


def test_the_splits_are_different_draws_and_the_seed_decides() -> None:
    train, again, test = (sines(size=20, split=split).samples for split in ("train", "train", "test"))

    assert torch.equal(train, again)
    assert not torch.isclose(train, test).any(dim=1).all()
    assert not torch.equal(train, sines(size=20, seed=1).samples)


def test_the_fit_is_that_of_least_squares() -> None:
    series = torch.randn(5, 40, generator=torch.Generator().manual_seed(0))
    time = np.arange(40) / 40
    best = []
    for row in series.double().numpy():
        fits = []
        for frequency in np.linspace(1, 4, 256):
            basis = np.stack([np.sin(2 * np.pi * frequency * time), np.cos(2 * np.pi * frequency * time)], axis=1)
            weights, *_ = np.linalg.lstsq(basis, row, rcond=None)
            left = ((row - basis @ weights) ** 2).sum() / (row**2).sum()
            fits.append((left, frequency, np.hypot(*weights)))
        best.append(min(fits))

    frequency, amplitude, residual = SineFit().fit(series)

    expected = torch.tensor(np.array(best))
    torch.testing.assert_close(torch.stack([residual, frequency, amplitude], dim=1), expected, rtol=1e-5, atol=1e-6)


def test_distances_are_in_periods_and_in_units_of_the_values() -> None:
    ours = torch.stack([sine(2.0, 0.5), sine(2.0, 0.5)])
    theirs = torch.stack([sine(2.0, 0.9), sine(3.0, 0.9)])

    found = {name: value.value for name, value in SineFit()(inputs(ours, theirs)).items()}

    assert found["sine_residual"] == pytest.approx(0, abs=1e-4)
    assert found["frequency_distance"] == pytest.approx(0.5, abs=0.02)
    assert found["amplitude_distance"] == pytest.approx(0.4, abs=0.01)


def test_a_series_of_zeros_is_nothing_of_a_sine() -> None:
    zeros = torch.zeros(3, 64)

    assert SineFit()(inputs(zeros, sines(size=9).samples))["sine_residual"].value == 1


def test_what_has_no_series_has_no_value_and_says_why() -> None:
    images, series = torch.zeros(4, 1, 28, 28), sines(size=9).samples

    of_images = SineFit()(inputs(images, images))
    from_a_file = SineFit()(inputs(series, series[:0]))

    assert {value.reason for value in of_images.values()} == {
        "samples of shape (1, 28, 28) are not series of at least 8 values"
    }
    assert from_a_file["sine_residual"].value is not None
    assert from_a_file["frequency_distance"].reason == "the reference was read from a file and has no series"
