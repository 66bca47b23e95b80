"""Parts of the kinds that not every recipe has: augmentations, conditional networks, a step of its own."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ganfw import Batch, Part, RowRandom, TensorData, hookimpl


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    yield Part(kind="augmentation", name="noise", target="further_parts:NoiseAugmentation")
    yield Part(kind="augmentation", name="adaptive", target="further_parts:AdaptiveBrightness")
    yield Part(kind="generator", name="labelled", target="further_parts:LabelledGenerator")
    yield Part(kind="discriminator", name="labelled", target="further_parts:LabelledDiscriminator")
    yield Part(kind="data", name="unlabelled", target="further_parts:unlabelled")
    yield Part(kind="data", name="short_labels", target="further_parts:short_labels")
    yield Part(kind="step", name="lazy", target="further_parts:LazyStep")


class NoiseAugmentation:
    """Adds N(0, 0.01) to every coordinate."""

    def __call__(self, samples: Tensor, draws: RowRandom) -> Tensor:
        return samples + 0.1 * draws.normal(*samples.shape[1:])


class AdaptiveBrightness:
    """Darkens each row by a random share, of up to a limit that grows while real logits are positive."""

    def __init__(self) -> None:
        self.limit = torch.zeros(())
        self.seen: list[Tensor] = []

    def __call__(self, samples: Tensor, draws: RowRandom) -> Tensor:
        return samples * (1 - self.limit * draws.uniform(*[1] * (samples.ndim - 1)))

    def observe(self, real_logits: Tensor) -> None:
        self.seen = [*self.seen[-4:], real_logits]
        self.limit = (self.limit + 0.05 * real_logits.sign().mean()).clamp(0, 0.5)

    def state_dict(self) -> dict[str, Any]:
        return {"limit": self.limit}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.limit = state["limit"]


class LabelledGenerator(nn.Module):
    """An MLP whose noise is shifted by what it has learnt for each class."""

    def __init__(self, z_dim: int, sample_shape: tuple[int, ...], num_classes: int, /, *, hidden_dim: int = 8) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.shift = nn.Embedding(num_classes, z_dim)
        self.layers = nn.Sequential(nn.Linear(z_dim, hidden_dim), nn.BatchNorm1d(hidden_dim), nn.ReLU())
        self.last = nn.Linear(hidden_dim, torch.Size(sample_shape).numel())
        self.sample_shape = sample_shape

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        return torch.sigmoid(self.last(self.layers(z + self.shift(labels)))).unflatten(1, self.sample_shape)


class LabelledDiscriminator(nn.Module):
    """The logit of a sample is a linear function of it, another one for each class."""

    def __init__(self, sample_shape: tuple[int, ...], num_classes: int, /, *, hidden_dim: int = 8) -> None:
        super().__init__()
        self.weight = nn.Embedding(num_classes, torch.Size(sample_shape).numel())

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        return (self.weight(labels) * x.flatten(1)).sum(1, keepdim=True)


def unlabelled() -> TensorData:
    """Return images without labels."""
    return TensorData(torch.arange(64 * 784).remainder(251).to(torch.uint8).reshape(64, 1, 28, 28))


def short_labels() -> TensorData:
    """Return images whose labels are bytes."""
    return TensorData(unlabelled().samples, torch.arange(64).remainder(3).to(torch.uint8), 3)


class LazyStep:
    """Does nothing, and takes nothing but the noise."""

    def __init__(self, noise: Any, /) -> None:
        self.noise = noise

    def __call__(self, batch: Batch, random: torch.Generator) -> dict[str, Tensor]:
        return {"loss/discriminator": torch.ones(()), "loss/generator": torch.ones(())}
