"""A script with pairs of images, and a translator that learns from them."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from ganfw import Batch, Part, RowRandom, TensorData, Update, hookimpl


def pairs() -> TensorData:
    """Return squares, and with each the same one, turned and brighter."""
    samples = torch.rand(96, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    return TensorData(samples / 2, more={"target": samples.flip(3) / 2 + 0.5})


def translator() -> nn.Module:
    """Return a network from images to images."""
    return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1), nn.Sigmoid())


class Copy:
    """Lets the generator imitate the second image of a pair."""

    def __init__(self, generator: nn.Module, /) -> None:
        self.generator = generator

    def updates(self) -> Sequence[Update]:
        return [Update("generator", self.loss)]

    def loss(self, batch: Batch, random: RowRandom) -> Tensor:
        return (self.generator(batch.samples) - batch.more["target"]).abs().mean()


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    yield Part(kind="data", name="pairs", target="translation:pairs")
    yield Part(kind="generator", name="translator", target="translation:translator")
    yield Part(kind="step", name="copy", target="translation:Copy")
