"""A script with data that is neither images nor points."""

from collections.abc import Iterator

import torch

from ganfw import Part, TensorData, hookimpl


def vectors() -> TensorData:
    """Return 64 vectors of 5 numbers."""
    return TensorData(torch.rand(64, 5, generator=torch.Generator().manual_seed(0)))


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    yield Part(kind="data", name="vectors", target="vectors:vectors")
