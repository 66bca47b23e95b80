"""MetricInputs for metrics, and sets of features on which their definitions are tried."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch

from ganfw import MetricInputs, MetricValue, Registry, SampleSet

Measure = Callable[..., Mapping[str, MetricValue]]
Clouds = tuple[np.ndarray, np.ndarray]


def sample_set(features: Any, probabilities: Any = None) -> SampleSet:
    """Return samples that are their own features."""
    rows = torch.as_tensor(np.asarray(features, dtype=np.float64))
    return SampleSet(rows, rows, None if probabilities is None else torch.as_tensor(np.asarray(probabilities)).double())


@pytest.fixture(scope="session")
def measure(registry: Registry) -> Measure:
    """Return a function that measures samples, `(n, d)`, against a reference and training samples."""

    def measure(
        metric: str,
        samples: Any,
        reference: Any,
        training: Any = None,
        *,
        probabilities: tuple[Any, Any] = (None, None),
        seed: int = 0,
        **keys: Any,
    ) -> Mapping[str, MetricValue]:
        return registry.load("metric", metric)(**keys)(
            MetricInputs(
                samples=sample_set(samples, probabilities[0]),
                reference=sample_set(reference, probabilities[1]),
                training=sample_set(reference if training is None else training),
                seed=seed,
            )
        )

    return measure


def ordinary(random: np.random.Generator) -> Clouds:
    mixing = random.normal(size=(6, 6))
    return random.normal(0.3, 1.2, size=(300, 6)), random.normal(size=(400, 6)) @ mixing


def clustered(random: np.random.Generator) -> Clouds:
    """Eight tight clusters on a circle in a plane; the samples miss three."""
    angles = np.arange(8) * np.pi / 4
    centres = np.stack([np.cos(angles), np.sin(angles)], 1) @ random.normal(size=(2, 6))
    at = centres[random.integers(5, size=300)], centres[random.integers(8, size=400)]
    return at[0] + random.normal(0, 0.02, size=(300, 6)), at[1] + random.normal(0, 0.02, size=(400, 6))


def far_away(random: np.random.Generator) -> Clouds:
    samples, reference = ordinary(random)
    return samples + 1e6, reference + 1e6


def rank_one(random: np.random.Generator) -> Clouds:
    direction = random.normal(size=(1, 6))
    return random.normal(1, 2, size=(300, 1)) * direction, random.normal(size=(400, 1)) * direction


def duplicates(random: np.random.Generator) -> Clouds:
    """Few different points, most of them in both sets and more than once."""
    points = random.normal(size=(150, 6))
    return points[random.integers(100, size=300)], points[random.integers(30, 150, size=400)]


def copies(random: np.random.Generator) -> Clouds:
    """Every sample is one of the reference, once."""
    reference = random.normal(size=(400, 6))
    return reference[:300], reference


def lattice(random: np.random.Generator) -> Clouds:
    """Distances that are equal again and again."""
    return random.integers(4, size=(300, 6)).astype(float), random.integers(3, size=(400, 6)).astype(float)


def all_equal(random: np.random.Generator) -> Clouds:
    return np.tile(random.normal(size=(1, 6)), (300, 1)), random.normal(size=(400, 6))


CLOUDS = {
    make.__name__: make for make in (ordinary, clustered, far_away, rank_one, duplicates, copies, lattice, all_equal)
}


@pytest.fixture(params=CLOUDS)
def clouds(request: pytest.FixtureRequest) -> Clouds:
    """Return 300 samples and 400 of the reference in six dimensions, of each kind in turn."""
    return CLOUDS[request.param](np.random.default_rng(0))
