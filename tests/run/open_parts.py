"""Parts of an open recipe: an encoder beside the classic pair, and a generator that keeps something to itself."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganfw import Batch, Noise, Part, RowRandom, TensorData, Update, hookimpl


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    yield Part(kind="generator", name="fourier", target="open_parts:Fourier")
    yield Part(kind="network", name="encoder", target="open_parts:Encoder")
    yield Part(kind="step", name="encoding", target="open_parts:Encoding")
    yield Part(kind="data", name="listed", target="open_parts:Listed")
    yield Part(kind="data", name="shades", target="open_parts:shades")


class Fourier(nn.Module):
    """Random Fourier features of the noise, which are not saved, and a layer."""

    def __init__(self, z_dim: int, sample_shape: tuple[int, ...], /, *, features: int = 16) -> None:
        super().__init__()
        self.register_buffer("directions", torch.randn(z_dim, features), persistent=False)
        self.last = nn.Linear(features, torch.Size(sample_shape).numel())
        self.sample_shape = sample_shape

    def forward(self, z: Tensor) -> Tensor:
        return self.last(torch.sin(z @ self.directions)).sigmoid().unflatten(1, self.sample_shape)


class Encoder(nn.Sequential):
    def __init__(self, sample_shape: tuple[int, ...], z_dim: int, /, *, hidden_dim: int = 4) -> None:
        pixels = torch.Size(sample_shape).numel()
        norm = nn.BatchNorm1d(hidden_dim)
        super().__init__(nn.Flatten(), nn.Linear(pixels, hidden_dim), norm, nn.ReLU(), nn.Linear(hidden_dim, z_dim))


class Encoding:
    """The classic pair, and an encoder that learns to tell the noise of a sample."""

    def __init__(self, networks: Mapping[str, nn.Module], noise: Noise, loss: Any, /) -> None:
        self.networks, self.noise, self.loss = networks, noise, loss

    def updates(self) -> Sequence[Update]:
        trained = [Update("discriminator", self._discriminator, draw=self._draw)]
        return [*trained, Update("generator", self._generator, draw=self._draw)]

    def _draw(self, batch: Batch, random: torch.Generator) -> tuple[Tensor]:
        return (self.noise(len(batch), random),)

    def _discriminator(self, batch: Batch, _random: RowRandom, z: Tensor) -> Tensor:
        discriminator = self.networks["discriminator"]
        fake = self.networks["generator"](z).detach()
        loss: Tensor = self.loss.discriminator(discriminator(batch.samples), discriminator(fake))
        return loss

    def _generator(self, _batch: Batch, _random: RowRandom, z: Tensor) -> Tensor:
        fake = self.networks["generator"](z)
        encoded = self.networks["encoder"](fake)
        loss: Tensor = self.loss.generator(self.networks["discriminator"](fake)) + (encoded - z).square().mean()
        return loss


class Listed(torch.utils.data.Dataset[Tensor]):
    """Images of one shade, which a file in a folder says; they are not in memory."""

    def __init__(self, *, folder: str) -> None:
        self.shade = float(Path(folder, "shade").read_text())

    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: int) -> Tensor:
        return torch.full((1, 4, 4), self.shade)

    def fingerprint(self) -> str:
        return f"{len(self)} of {self.shade}"


def shades(*, folder: str) -> TensorData:
    """Return such images, in memory."""
    return TensorData(torch.full((64, 1, 4, 4), float(Path(folder, "shade").read_text())))
