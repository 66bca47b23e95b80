"""Distances in blocks against scipy's, which takes differences one pair at a time."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist, pdist

from ganfw.builtin.distances import BLOCK, inside, kth_distance, mean_pairwise_distance

Clouds = tuple[np.ndarray, np.ndarray]


def tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values))


def differences(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return distances that are rounded as those of the code; scipy rounds the last digit otherwise."""
    return torch.cdist(tensor(points), tensor(others), compute_mode="donot_use_mm_for_euclid_dist").numpy()


def membership(points: np.ndarray, centres: np.ndarray, radii: np.ndarray, *, closed: bool) -> np.ndarray:
    found = np.zeros((len(points), len(centres)), dtype=bool)
    for rows, block in inside(tensor(points), tensor(centres), tensor(radii), closed=closed):
        found[rows] = block.numpy()
    return found


@pytest.mark.parametrize("k", [1, 2, 4, 400])
def test_kth_distance_is_that_of_the_sorted_distances(clouds: Clouds, k: int) -> None:
    samples, reference = clouds

    actual = kth_distance(tensor(samples), tensor(reference), k)

    np.testing.assert_allclose(actual, np.sort(cdist(samples, reference), axis=1)[:, k - 1], rtol=1e-12, atol=0)


def test_kth_distance_within_a_set_counts_a_point_itself_as_its_nearest(clouds: Clouds) -> None:
    _, reference = clouds

    assert not kth_distance(tensor(reference), tensor(reference), 1).any()


@pytest.mark.parametrize("closed", [True, False])
def test_points_on_the_surface_are_inside_of_closed_balls_alone(clouds: Clouds, closed: bool) -> None:
    samples, reference = clouds
    radii = np.sort(cdist(reference, reference), axis=1)[:, 3]
    distances = cdist(samples, reference)
    expected = distances <= radii if closed else distances < radii

    found = membership(samples, reference, kth_distance(tensor(reference), tensor(reference), 4).numpy(), closed=closed)

    assert np.array_equal(found, expected)


def test_mean_pairwise_distance_is_that_of_all_pairs(clouds: Clouds) -> None:
    for points in clouds:
        expected = pdist(points).mean()
        assert mean_pairwise_distance(tensor(points)) == pytest.approx(expected, rel=1e-9, abs=0)


def test_sets_of_several_blocks_are_measured_whole() -> None:
    random = np.random.default_rng(0)
    points, others = random.normal(size=(2100, 3)), random.normal(size=(2300, 3))
    distances = cdist(points, others)
    assert distances.size > BLOCK

    np.testing.assert_allclose(
        kth_distance(tensor(points), tensor(others), 2), np.partition(distances, 1, axis=1)[:, 1], rtol=1e-12
    )
    radii = np.full(len(others), 0.5)
    assert np.array_equal(membership(points, others, radii, closed=True), distances <= 0.5)
    assert mean_pairwise_distance(tensor(others)) == pytest.approx(pdist(others).mean(), rel=1e-12)


@given(
    arrays(np.float64, st.tuples(st.integers(3, 12), st.just(3)), elements=st.integers(-2, 2).map(float)),
    arrays(np.float64, st.tuples(st.integers(3, 12), st.just(3)), elements=st.integers(-2, 2).map(float)),
    st.floats(-1e3, 1e3),
)
def test_ties_are_decided_as_by_differences(points: np.ndarray, others: np.ndarray, shift: float) -> None:
    points, others = points / 8 + shift, others / 8 + shift
    radii = np.sort(differences(others, others), axis=1)[:, 2]
    distances = differences(points, others)

    assert np.array_equal(kth_distance(tensor(others), tensor(others), 3), radii)
    for closed in (True, False):
        expected = distances <= radii if closed else distances < radii
        assert np.array_equal(membership(points, others, radii, closed=closed), expected)
