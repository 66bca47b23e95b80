"""A small table of two columns, and a metric that compares the columns of tables."""

from typing import Annotated, Literal

import torch
from annotated_types import Ge
from torch import Tensor

from ganfw import MetricInputs, MetricValue, TensorData
from ganfw_datasets.distances import wasserstein

SHARES = (0.6, 0.3, 0.1)
MEANS = ((-1.0, -0.5), (1.0, 0.5), (0.5, -1.5))
SPREADS = ((0.5, 0.3), (0.3, 0.6), (0.2, 0.2))
CORRELATIONS = (0.8, -0.6, 0.0)
"""Of the three groups of rows: how frequent they are, and the Gaussian of each."""


def two_columns(
    *,
    size: Annotated[int, Ge(1), "rows to draw"] = 20_000,
    split: Annotated[Literal["train", "test"], "two independent draws"] = "train",
    seed: Annotated[int, Ge(0), "the rows follow from it, not from the seed of the run"] = 0,
) -> TensorData:
    """A table of two columns: rows of three Gaussians, which are 60, 30 and 10 % of the rows.

    The columns are correlated within the first two groups, by 0.8 and -0.6.

    Returns:
        `(size, 2)` float32 rows, and the group of each, `(size,)` int64 in [0, 3).
    """
    random = torch.Generator().manual_seed(2 * seed + (split == "test"))
    group = torch.multinomial(torch.tensor(SHARES), size, replacement=True, generator=random)
    noise = torch.randn(size, 2, generator=random, dtype=torch.float64)
    correlation = torch.tensor(CORRELATIONS, dtype=torch.float64)[group]
    noise[:, 1] = correlation * noise[:, 0] + (1 - correlation.square()).sqrt() * noise[:, 1]
    means, spreads = (torch.tensor(each, dtype=torch.float64)[group] for each in (MEANS, SPREADS))
    return TensorData((means + spreads * noise).float(), group, num_classes=len(SHARES))


class Columns:
    """Compares the columns of samples with those of real rows.

    `column_distance` is the mean over columns of the Wasserstein distance W1 between samples and reference, in standard
    deviations of the reference's column. `correlation_difference` is the largest difference between an entry of the two
    correlation matrices; a column that is constant has no value.
    """

    def __call__(self, inputs: MetricInputs) -> dict[str, MetricValue]:
        """Return `column_distance` and `correlation_difference`."""
        samples, reference = inputs.samples.samples, inputs.reference.samples
        names = ("column_distance", "correlation_difference")
        if reason := _shortfall(samples, reference):
            return {name: MetricValue(None, "lower", reason) for name in names}
        ours, theirs = samples.double(), reference.double()
        scales = theirs.std(0)
        pairs = zip((ours / scales).T, (theirs / scales).T, strict=True)
        distance = sum(wasserstein(*pair) for pair in pairs) / len(scales)
        difference = (_correlations(ours) - _correlations(theirs)).abs().max()
        constant = "a column of the samples is constant"
        return {
            "column_distance": MetricValue(distance, "lower"),
            "correlation_difference": MetricValue(float(difference), "lower")
            if difference.isfinite()
            else MetricValue(None, "lower", constant),
        }


def _shortfall(samples: Tensor, reference: Tensor) -> str:
    """Return why rows cannot be compared, or nothing."""
    if samples.ndim != 2:
        return f"samples of shape {tuple(samples.shape[1:])} are not rows of a table"
    if min(len(samples), len(reference)) < 2:
        return f"a spread needs 2 rows, and there are {len(samples)} samples and {len(reference)} reference samples"
    return "" if reference.double().std(0).all() else "a column of the reference is constant"


def _correlations(rows: Tensor) -> Tensor:
    """Return the `(columns, columns)` correlation matrix, nan where a column is constant."""
    standard = (rows - rows.mean(0)) / rows.std(0, correction=0)
    return standard.T @ standard / len(rows)
