"""Distances between all points of two sets, block by block; differences decide where rounding could.

A matrix product gives squared distances ten times as fast as differences do, but it rounds: equal points are not at
distance 0, and a comparison may go either way. So each block comes with a bound of its error, and rows in which a
comparison is closer than that are computed again from differences. Results are those of differences throughout.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

BLOCK = 2**22
"""Squared distances that are held at a time: 32 MB."""


def kth_distance(points: Tensor, others: Tensor, k: int) -> Tensor:
    """Return how far the k-th nearest other is from each point.

    Args:
        points: `(n, d)` float64.
        others: `(m, d)` float64, m >= k.
        k: 1 for the nearest; `k + 1` for the k-th neighbour within a set, as each point is its own nearest.

    Returns:
        `(n,)` float64.
    """
    distances = points.new_empty(len(points))
    for rows, squares, errors in _blocks(points, others):
        near = points[rows]
        nearest, columns = squares.topk(min(k + 1, len(others)), largest=False)
        found = _differences(near[:, None], others[columns[:, :k]]).amax((1, 2))
        if len(others) > k:
            doubtful = nearest[:, k] - nearest[:, k - 1] <= 2 * errors[:, 0]
            if doubtful.any():
                found[doubtful] = _differences(near[doubtful], others).topk(k, largest=False).values[:, -1]
        distances[rows] = found
    return distances


def inside(points: Tensor, centres: Tensor, radii: Tensor, *, closed: bool) -> Iterator[tuple[slice, Tensor]]:
    """Yield which points are in which balls, some points at a time.

    Args:
        points: `(n, d)` float64.
        centres: `(m, d)` float64.
        radii: `(m,)` float64, distances between centres.
        closed: whether the sphere around a ball belongs to it.

    Yields:
        A slice of the points, and `(rows, m)` bool.
    """
    for rows, squares, errors in _blocks(points, centres):
        excess = squares.sub_(radii.square())
        found = excess <= 0
        doubtful = excess.abs_().amin(1) <= errors[:, 0]
        if doubtful.any():
            distances = _differences(points[rows][doubtful], centres)
            found[doubtful] = distances <= radii if closed else distances < radii
        yield rows, found


def mean_pairwise_distance(points: Tensor) -> float:
    """Return the mean distance of two different rows of `(n, d)` float64, n >= 2.

    Squares below the bound of their error count as 0, so that equal points are at distance 0.
    """
    total = 0.0
    for _, squares, errors in _blocks(points, points):
        total += float(torch.threshold_(squares, float(errors.max()), 0.0).sqrt_().sum())
    return total / (len(points) * (len(points) - 1))


def _blocks(points: Tensor, others: Tensor) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Yield `|p|² - 2 p·q + |q|²` for all pairs, some points at a time: one product, with two more coordinates.

    Both sets are moved so that the others' mean is 0, which makes the errors small.

    Yields:
        Which points; their `(rows, m)` squares, in memory that is used again; and `(rows, 1)`, how far these may be
        from the squares of differences, at most.
    """
    dimensions = points.shape[1]
    centre = others.mean(0)
    left, right = points - centre, others - centre
    left_squares, right_squares = left.square().sum(1, keepdim=True), right.square().sum(1, keepdim=True)
    left = torch.cat([-2 * left, left_squares, torch.ones_like(left_squares)], 1)
    right = torch.cat([right, torch.ones_like(right_squares), right_squares], 1)
    # The usual bound of a rounded scalar product, for this one, its squares, the differences and the radii.
    rounding = 4 * (dimensions + 8) * torch.finfo(points.dtype).eps
    errors = rounding * (left_squares.sqrt() + right_squares.max().sqrt()).square()
    height = max(1, BLOCK // len(others))
    memory = points.new_empty(min(height, len(points)), len(others))
    for start in range(0, len(points), height):
        rows = slice(start, min(start + height, len(points)))
        squares = torch.mm(left[rows], right.T, out=memory[: rows.stop - start])
        yield rows, squares, errors[rows]


def _differences(points: Tensor, others: Tensor) -> Tensor:
    """Return `(…, n, m)` distances from differences: 0 for equal points, and the same for a pair both ways round."""
    return torch.cdist(points, others, compute_mode="donot_use_mm_for_euclid_dist")
