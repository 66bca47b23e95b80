"""The kernel distance."""

from collections.abc import Mapping
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor

from ganfw import MetricInputs, MetricValue
from ganfw.builtin.shortfall import shortfall


class KernelDistance:
    """The squared maximum mean discrepancy of the features of samples and of the reference, for a cubic kernel.

    `kernel_distance` is the mean over random subsets of m samples x and m reference samples y of the unbiased estimate
    `Σ_{i≠j} (k(x_i, x_j) + k(y_i, y_j)) / (m (m - 1)) - 2 Σ_{i,j} k(x_i, y_j) / m²` with `k(x, y) = (x·y / d + 1)³`
    in d dimensions. Where a set is smaller than a subset, m is the size of the smaller set. Its expectation does not
    depend on the number of samples, so it can be slightly below 0.

    Source: Bińkowski et al., "Demystifying MMD GANs", 2018: the kernel inception distance.
    """

    def __init__(
        self,
        *,
        subsets: Annotated[int, Ge(1), "subsets that the mean is over"] = 100,
        subset_size: Annotated[int, Ge(2), "samples in a subset, and as many of the reference"] = 1000,
    ) -> None:
        self.subsets = subsets
        self.subset_size = subset_size

    def __call__(self, inputs: MetricInputs) -> Mapping[str, MetricValue]:
        """Return `kernel_distance`; no value with fewer than two samples on either side."""
        samples, reference = inputs.samples.features, inputs.reference.features
        sets = {"samples": samples, "reference samples": reference}
        if reason := shortfall(sets, 2, "an unbiased estimate needs"):
            return {"kernel_distance": MetricValue(None, "lower", reason)}
        size = min(self.subset_size, len(samples), len(reference))
        subsets = 1 if size == len(samples) == len(reference) else self.subsets
        random = torch.Generator().manual_seed(inputs.seed)
        estimates = [
            _discrepancy(_subset(samples, size, random), _subset(reference, size, random)) for _ in range(subsets)
        ]
        return {"kernel_distance": MetricValue(float(torch.stack(estimates).mean()), "lower")}


def _subset(rows: Tensor, size: int, random: torch.Generator) -> Tensor:
    return rows[torch.randperm(len(rows), generator=random)[:size]]


def _discrepancy(samples: Tensor, reference: Tensor) -> Tensor:
    """Return the unbiased estimate from two sets of `(m, d)`, a scalar."""
    size = len(samples)
    between = _kernel(samples, reference).sum()
    same = _kernel(samples, samples), _kernel(reference, reference)
    within = sum(kernel.sum() - kernel.trace() for kernel in same)
    return within / (size * (size - 1)) - 2 * between / size**2


def _kernel(left: Tensor, right: Tensor) -> Tensor:
    """Return `(x·y / d + 1)³` for all pairs, `(m, m)`."""
    return torch.addmm(torch.ones((), dtype=left.dtype), left, right.T, alpha=1 / left.shape[1]).pow_(3)
