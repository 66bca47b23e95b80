"""Counted modes, against a count by brute force and against what the Gaussians say."""

import math

import pytest
import torch
from scipy.stats import entropy
from torch import Tensor

from ganfw import MetricInputs, MetricValue, Registry, SampleSet


def inputs(points: Tensor) -> MetricInputs:
    of_points = SampleSet(points, points.flatten(1).double())
    return MetricInputs(samples=of_points, reference=of_points, training=of_points)


def by_hand(points: Tensor, places: list[tuple[float, float]], sigma: float) -> tuple[int, float, float | None]:
    """Return the modes found, the share of high quality and the divergence, point by point."""
    counts = [0] * len(places)
    for x, y in points.tolist():
        distances = [math.hypot(x - a, y - b) for a, b in places]
        nearest = distances.index(min(distances))
        if distances[nearest] <= 3 * sigma:
            counts[nearest] += 1
    good = sum(counts)
    kl = float(entropy(counts, [1] * len(places))) if good else None
    return sum(count > 0 for count in counts), good / len(points), kl


PLACES = {
    "ring": [(math.cos(math.tau * k / 8), math.sin(math.tau * k / 8)) for k in range(8)],
    "grid": [(x, y) for x in (-4.0, -2.0, 0.0, 2.0, 4.0) for y in (-4.0, -2.0, 0.0, 2.0, 4.0)],
}
SIGMA = {"ring": 0.01, "grid": 0.05}


@pytest.mark.parametrize("name", ["ring", "grid"])
@pytest.mark.parametrize("kind", ["real", "noisy", "few modes", "one mode"])
def test_counts_are_those_of_brute_force(name: str, kind: str, registry: Registry) -> None:
    points = registry.load("data", name)(size=3000, split="test")
    samples = {
        "real": points.samples,
        "noisy": points.samples + SIGMA[name] * torch.randn(3000, 2, generator=torch.Generator().manual_seed(0)),
        "few modes": points.samples[points.labels % 3 == 0],
        "one mode": points.samples[points.labels == 1],
    }[kind]
    found = registry.load("metric", f"{name}_modes")()(inputs(samples))

    modes, share, kl = by_hand(samples, PLACES[name], SIGMA[name])
    assert found == {
        "modes_found": MetricValue(modes, "higher"),
        "high_quality_share": MetricValue(pytest.approx(share), "higher"),
        "mode_kl": MetricValue(pytest.approx(kl), "lower"),
    }


@pytest.mark.parametrize("name", ["ring", "grid"])
def test_real_points_find_every_mode_and_the_share_of_a_gaussian(name: str, registry: Registry) -> None:
    count = 50_000
    points = registry.load("data", name)(size=count, split="test").samples
    found = registry.load("metric", f"{name}_modes")()(inputs(points))

    share = 1 - math.exp(-9 / 2)  # the squared distance in sigmas is exponential with mean 2
    five_sigma = 5 * math.sqrt(share * (1 - share) / count)
    assert found["modes_found"].value == len(PLACES[name])
    assert found["high_quality_share"].value == pytest.approx(share, abs=five_sigma)
    assert 0 < found["mode_kl"].value < 0.001


def test_divergence_of_one_mode_and_of_half_the_modes_is_known(registry: Registry) -> None:
    metric = registry.load("metric", "grid_modes")(side=4, spacing=1.0, sigma=0.1)
    places = torch.cartesian_prod(*[torch.arange(4) - 1.5] * 2)

    assert metric(inputs(places[:1].repeat(9, 1)))["mode_kl"].value == pytest.approx(math.log(16))
    assert metric(inputs(places[::2]))["mode_kl"].value == pytest.approx(math.log(2))
    assert metric(inputs(places))["mode_kl"].value == pytest.approx(0, abs=1e-15)


def test_the_edge_of_three_sigma_belongs_to_a_mode(registry: Registry) -> None:
    metric = registry.load("metric", "ring_modes")(modes=1, radius=1.0, sigma=0.25)

    assert metric(inputs(torch.tensor([[1.75, 0.0], [1.0, -0.75]])))["high_quality_share"].value == 1
    assert metric(inputs(torch.tensor([[1.7501, 0.0], [math.nan, 0.0]])))["high_quality_share"].value == 0


def test_without_a_sample_near_a_mode_there_is_no_divergence(registry: Registry) -> None:
    found = registry.load("metric", "ring_modes")()(inputs(torch.zeros(5, 2)))

    assert found == {
        "modes_found": MetricValue(0.0, "higher"),
        "high_quality_share": MetricValue(0.0, "higher"),
        "mode_kl": MetricValue(None, "lower", "no sample is within 3 sigma of a mode"),
    }


def test_images_have_no_modes_in_the_plane(registry: Registry) -> None:
    found = registry.load("metric", "grid_modes")()(inputs(torch.zeros(5, 1, 28, 28, dtype=torch.uint8)))

    reason = "samples of shape (1, 28, 28) are no points in the plane"
    assert found == {
        "modes_found": MetricValue(None, "higher", reason),
        "high_quality_share": MetricValue(None, "higher", reason),
        "mode_kl": MetricValue(None, "lower", reason),
    }
