"""The toy data in the plane and its counted modes, against the Gaussians and a count by brute force."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, entropy, kstest, norm
from torch import Tensor

from ganfw import MetricInputs, MetricValue, Registry, SampleSet, TensorData


def load(registry: Registry, name: str, **keys: object) -> TensorData:
    data = registry.load("data", name)(**keys)
    assert isinstance(data, TensorData)
    return data


@pytest.mark.parametrize(("name", "modes"), [("ring", 8), ("grid", 25)])
def test_points_are_labelled_float32_in_the_plane(registry: Registry, name: str, modes: int) -> None:
    data = load(registry, name)

    assert (data.samples.shape, data.samples.dtype) == ((50_000, 2), torch.float32)
    assert data.labels is not None
    assert (data.labels.shape, data.labels.dtype, data.num_classes) == ((50_000,), torch.int64, modes)
    assert chisquare(np.bincount(data.labels.numpy(), minlength=modes)).pvalue > 0.01


@pytest.mark.parametrize(("name", "sigma"), [("ring", 0.01), ("grid", 0.05)])
def test_points_of_a_mode_are_normal_around_its_centre(registry: Registry, name: str, sigma: float) -> None:
    data = load(registry, name)
    assert data.labels is not None
    places = {
        "ring": [(math.cos(math.tau * k / 8), math.sin(math.tau * k / 8)) for k in range(8)],
        "grid": [(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)],
    }[name]
    offsets = (data.samples.double() - torch.tensor(places, dtype=torch.float64)[data.labels]) / sigma

    assert kstest(offsets[:, 0].numpy(), norm.cdf).pvalue > 0.01
    assert kstest(offsets[:, 1].numpy(), norm.cdf).pvalue > 0.01
    assert abs(float(torch.corrcoef(offsets.T)[0, 1])) < 5 / math.sqrt(len(data))


def test_keys_change_the_layout(registry: Registry) -> None:
    ring = load(registry, "ring", modes=4, radius=2.0, sigma=0.0, size=100)
    grid = load(registry, "grid", side=2, spacing=3.0, sigma=0.0, size=100)

    assert {tuple(point) for point in ring.samples.round(decimals=4).add(0.0).tolist()} == {
        (2.0, 0.0),
        (0.0, 2.0),
        (-2.0, 0.0),
        (0.0, -2.0),
    }
    assert {tuple(point) for point in grid.samples.tolist()} == {(-1.5, -1.5), (-1.5, 1.5), (1.5, -1.5), (1.5, 1.5)}
    assert (ring.num_classes, grid.num_classes) == (4, 4)


@pytest.mark.parametrize("name", ["ring", "grid"])
def test_points_follow_from_seed_and_split_alone(registry: Registry, name: str) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = load(registry, name, size=1000)

    assert torch.equal(torch.get_rng_state(), before)
    assert first.sha256() == load(registry, name, size=1000).sha256()
    others = [load(registry, name, size=1000, **keys) for keys in ({"split": "test"}, {"seed": 1}, {"seed": 2})]
    assert len({data.sha256() for data in (first, *others)}) == 4
    assert not set(map(tuple, first.samples.tolist())) & set(map(tuple, others[0].samples.tolist()))


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

    reason = "samples of shape (1, 28, 28) are not points in the plane"
    assert found == {
        "modes_found": MetricValue(None, "higher", reason),
        "high_quality_share": MetricValue(None, "higher", reason),
        "mode_kl": MetricValue(None, "lower", reason),
    }
