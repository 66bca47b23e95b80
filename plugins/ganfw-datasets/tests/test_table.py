"""The table of two columns, and the metric that compares columns."""

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance
from torch import Tensor

from ganfw import MetricInputs, SampleSet
from ganfw_datasets.distances import wasserstein
from ganfw_datasets.table import Columns, two_columns


def inputs(samples: Tensor, reference: Tensor) -> MetricInputs:
    sets = [SampleSet(each, each.flatten(1).double()) for each in (samples, reference)]
    return MetricInputs(*sets, training=sets[1])


def test_the_groups_have_their_shares_and_correlations() -> None:
    data = two_columns(size=60_000)

    groups = [data.samples[data.labels == group].double() for group in range(3)]
    assert [len(each) / 60_000 for each in groups] == pytest.approx([0.6, 0.3, 0.1], abs=0.01)
    assert [float(each.T.corrcoef()[0, 1]) for each in groups] == pytest.approx([0.8, -0.6, 0], abs=0.03)
    assert groups[1].mean(0).tolist() == pytest.approx([1.0, 0.5], abs=0.02)
    assert groups[1].std(0).tolist() == pytest.approx([0.3, 0.6], abs=0.02)


def test_the_distance_on_a_line_is_that_of_scipy() -> None:
    ours, theirs = torch.randn(37, dtype=torch.float64), torch.rand(81, dtype=torch.float64)

    assert wasserstein(ours, theirs) == pytest.approx(wasserstein_distance(ours, theirs), rel=1e-12)
    assert wasserstein(ours, ours.flip(0)) == 0


def test_columns_and_correlations_are_compared() -> None:
    random = np.random.default_rng(0)
    ours, theirs = random.normal(size=(50, 3)), random.normal(size=(70, 3)) * [1, 2, 3]

    found = {name: value.value for name, value in Columns()(inputs(torch.tensor(ours), torch.tensor(theirs))).items()}

    scales = theirs.std(0, ddof=1)
    expected = np.mean([wasserstein_distance(ours[:, k] / scales[k], theirs[:, k] / scales[k]) for k in range(3)])
    difference = np.abs(np.corrcoef(ours.T) - np.corrcoef(theirs.T)).max()
    assert found == pytest.approx({"column_distance": expected, "correlation_difference": difference})


@pytest.mark.parametrize(
    ("samples", "reference", "reason"),
    [
        (torch.zeros(4, 1, 28, 28), torch.zeros(4, 1, 28, 28), "samples of shape (1, 28, 28) are not rows of a table"),
        (torch.zeros(4, 2), torch.zeros(4, 2), "a column of the reference is constant"),
        (
            torch.zeros(1, 2),
            torch.zeros(4, 2),
            "a spread needs 2 rows, and there are 1 samples and 4 reference samples",
        ),
    ],
)
def test_what_cannot_be_compared_has_no_value_and_says_why(samples: Tensor, reference: Tensor, reason: str) -> None:
    assert {value.reason for value in Columns()(inputs(samples, reference)).values()} == {reason}


def test_a_constant_column_of_samples_has_a_distance_and_no_correlation() -> None:
    reference = two_columns(size=50).samples

    found = Columns()(inputs(reference * torch.tensor([1, 0]), reference))

    assert found["column_distance"].value is not None
    assert found["correlation_difference"].reason == "a column of the samples is constant"
