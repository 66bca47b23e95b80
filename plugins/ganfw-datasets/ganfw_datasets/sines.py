"""A family of sines as series of numbers, and a metric that fits a sine to each series."""

import math
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt
from torch import Tensor

from ganfw import MetricInputs, MetricValue, TensorData
from ganfw_datasets.distances import wasserstein

FREQUENCIES = 256
"""How many frequencies are tried in a fit."""

Length = Annotated[int, Ge(8), "values in a series"]
Lowest = Annotated[float, Gt(0), "lowest frequency, in periods a series"]
Highest = Annotated[float, Gt(0), "highest frequency, in periods a series"]


def sines(
    *,
    length: Length = 64,
    lowest: Lowest = 1.0,
    highest: Highest = 4.0,
    size: Annotated[int, Ge(1), "series to draw"] = 20_000,
    split: Annotated[Literal["train", "test"], "two independent draws"] = "train",
    seed: Annotated[int, Ge(0), "the series follow from it, not from the seed of the run"] = 0,
) -> TensorData:
    """Sines of random frequency, amplitude and phase: a · sin(2π (f t + p)) at equal distances of t in [0, 1).

    f is uniform in [lowest, highest], a in [0.5, 1] and p in [0, 1).

    Returns:
        `(size, length)` float32 in [-1, 1], without labels.
    """
    random = torch.Generator().manual_seed(2 * seed + (split == "test"))
    draws = torch.rand(3, size, 1, generator=random, dtype=torch.float64)
    frequency, amplitude = lowest + (highest - lowest) * draws[0], 0.5 + 0.5 * draws[1]
    time = torch.arange(length, dtype=torch.float64) / length
    return TensorData((amplitude * torch.sin(2 * math.pi * (frequency * time + draws[2]))).float())


class SineFit:
    """Fits a sine to each series, and compares the fits of samples with those of real series.

    The fit is the least-squares one over phases, amplitudes and 256 frequencies from `lowest` to `highest`.
    `sine_residual` is the mean share of a series' mean square that the fit leaves: 0 for a sine, 1 for nothing of one.
    `frequency_distance`, in periods a series, and `amplitude_distance` are the Wasserstein distances W1 between the
    frequencies, and the amplitudes, of samples and of the reference. The keys are those of the data part `sines`.
    """

    def __init__(self, *, lowest: Lowest = 1.0, highest: Highest = 4.0) -> None:
        self.lowest, self.highest = lowest, highest

    def __call__(self, inputs: MetricInputs) -> dict[str, MetricValue]:
        """Return `sine_residual`, `frequency_distance` and `amplitude_distance`."""
        samples, reference = inputs.samples.samples, inputs.reference.samples
        names = ("sine_residual", "frequency_distance", "amplitude_distance")
        if samples.ndim != 2 or samples.shape[1] < 8:
            reason = f"samples of shape {tuple(samples.shape[1:])} are not series of at least 8 values"
            return {name: MetricValue(None, "lower", reason) for name in names}
        frequency, amplitude, residual = self.fit(samples)
        values: list[float | None] = [float(residual.mean()), None, None]
        if len(reference):
            of_real = self.fit(reference)
            values[1:] = [wasserstein(frequency, of_real[0]), wasserstein(amplitude, of_real[1])]
        reason = "the reference was read from a file and has no series"
        return {
            name: MetricValue(value, "lower", reason if value is None else "")
            for name, value in zip(names, values, strict=True)
        }

    def fit(self, series: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the frequency, the amplitude and the share that is left of each of `(n, length)` series, `(n,)`."""
        values = series.double()
        time = torch.arange(series.shape[1], dtype=torch.float64) / series.shape[1]
        angles = 2 * math.pi * torch.linspace(self.lowest, self.highest, FREQUENCIES).double()[:, None] * time
        basis = torch.stack([angles.sin(), angles.cos()], dim=2)  # (frequencies, length, 2)
        orthogonal, triangle = torch.linalg.qr(basis)
        projected = torch.einsum("nl,flk->fnk", values, orthogonal)
        explained, place = projected.square().sum(2).max(0)
        power = values.square().sum(1).clamp_min(torch.finfo(torch.float64).tiny)
        best = projected[place, torch.arange(len(values))]
        amplitude = torch.linalg.solve_triangular(triangle[place], best[:, :, None], upper=True).norm(dim=(1, 2))
        frequency = torch.linspace(self.lowest, self.highest, FREQUENCIES).double()[place]
        return frequency, amplitude, 1 - explained / power
