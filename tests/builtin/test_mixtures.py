"""The toy data in the plane, against the Gaussians it is said to be drawn from."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, kstest, norm

from ganfw import Registry, TensorData


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
