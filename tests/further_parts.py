"""Parts that not every recipe has: augmentations, conditional and further networks, a penalty with state, steps."""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ganfw import Batch, Loss, Noise, Part, RowRandom, TensorData, Update, UpdateContext, hookimpl


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    yield Part(kind="augmentation", name="noise", target="further_parts:NoiseAugmentation")
    yield Part(kind="augmentation", name="adaptive", target="further_parts:AdaptiveBrightness")
    yield Part(kind="generator", name="labelled", target="further_parts:LabelledGenerator")
    yield Part(kind="discriminator", name="labelled", target="further_parts:LabelledDiscriminator")
    yield Part(kind="generator", name="lazy", target="further_parts:LazyGenerator")
    yield Part(kind="discriminator", name="lazy", target="further_parts:LazyDiscriminator")
    yield Part(kind="data", name="unlabelled", target="further_parts:unlabelled")
    yield Part(kind="data", name="short_labels", target="further_parts:short_labels")
    yield Part(kind="network", name="scaling", target="further_parts:Scaling")
    yield Part(kind="regularizer", name="path_length", target="further_parts:PathLength")
    yield Part(kind="step", name="lazy", target="further_parts:LazyStep")
    yield Part(kind="step", name="encoding", target="further_parts:EncodingStep")


class NoiseAugmentation:
    """Adds N(0, 0.01) to every coordinate."""

    def __call__(self, samples: Tensor, random: RowRandom) -> Tensor:
        return samples + 0.1 * random.normal(*samples.shape[1:])


class AdaptiveBrightness:
    """Darkens each row by a random share, of up to a limit that grows while real logits are positive."""

    def __init__(self) -> None:
        self.limit = torch.zeros(())
        self.seen: list[Tensor] = []

    def __call__(self, samples: Tensor, random: RowRandom) -> Tensor:
        return samples * (1 - self.limit * random.uniform(*[1] * (samples.ndim - 1)))

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


class LazyGenerator(nn.Sequential):
    """An MLP that finds its sizes out, with the weight of each class in lengths and directions."""

    def __init__(self, sample_shape: tuple[int, ...], /, *, hidden_dim: int = 8) -> None:
        with warnings.catch_warnings():  # torch prefers another form, which many networks do not have
            warnings.simplefilter("ignore", FutureWarning)
            last = nn.utils.weight_norm(nn.Linear(hidden_dim, torch.Size(sample_shape).numel()))
        super().__init__(
            nn.LazyLinear(hidden_dim),
            nn.LazyBatchNorm1d(),
            nn.ReLU(),
            last,
            nn.Sigmoid(),
            nn.Unflatten(1, sample_shape),
        )


class LazyDiscriminator(nn.Sequential):
    """A linear function of a sample that finds its size out."""

    def __init__(self) -> None:
        super().__init__(nn.Flatten(), nn.LazyLinear(1))


def unlabelled() -> TensorData:
    """Return images without labels."""
    return TensorData(torch.arange(64 * 784).remainder(251).to(torch.uint8).reshape(64, 1, 28, 28))


def short_labels() -> TensorData:
    """Return images whose labels are bytes."""
    return TensorData(unlabelled().samples, torch.arange(64).remainder(3).to(torch.uint8), 3)


class Scaling(nn.Module):
    """Scales every coordinate of a sample by as much as it has learnt."""

    def __init__(self, sample_shape: tuple[int, ...], /) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(sample_shape))

    def forward(self, samples: Tensor) -> Tensor:
        return samples * self.scale


class PathLength:
    """Keeps how far a sample moves with its noise near a running mean: Karras et al., 2020, section 3.2."""

    every_steps = 2

    def __init__(self, device: torch.device, /, *, weight: float = 2.0, decay: float = 0.9) -> None:
        self.weight = weight
        self.decay = decay
        self.mean = torch.zeros((), device=device)

    def generator(self, context: UpdateContext) -> Tensor:
        assert context.z is not None
        z = context.z.detach().requires_grad_()
        samples = context.generate(z)
        directions = context.random.normal(*samples.shape[1:])
        (gradient,) = torch.autograd.grad((samples * directions).sum(), z, create_graph=True)
        lengths = gradient.norm(dim=1)
        self.mean = torch.lerp(self.mean, lengths.detach().mean(), 1 - self.decay)
        return self.weight * (lengths - self.mean).square().mean()

    def state_dict(self) -> dict[str, Any]:
        return {"mean": self.mean}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.mean = state["mean"]


class LazyStep:
    """Takes nothing but the networks and the noise, and pulls their weights to 0."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module, noise: Noise, /) -> None:
        self.networks = {"generator": generator, "discriminator": discriminator}
        self.noise = noise

    def updates(self) -> Sequence[Update]:
        return [Update("generator", self.of_generator), Update("discriminator", self.of_discriminator)]

    def of_generator(self, batch: Batch, random: RowRandom) -> Tensor:
        return self._size("generator")

    def of_discriminator(self, batch: Batch, random: RowRandom) -> Tensor:
        return self._size("discriminator")

    def _size(self, name: str) -> Tensor:
        return torch.stack([weight.square().sum() for weight in self.networks[name].parameters()]).sum()


class EncodingStep:
    """The usual updates, of samples that a third network has encoded; it learns with the discriminator."""

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, encoder: nn.Module, loss: Loss, noise: Noise, /
    ) -> None:
        self.generator = generator
        self.discriminator = discriminator
        self.encoder = encoder
        self.loss = loss
        self.noise = noise

    def updates(self) -> Sequence[Update]:
        return [
            Update("discriminator", self.of_discriminator, draw=self._draw),
            Update("generator", self.of_generator, draw=self._draw),
        ]

    def of_discriminator(self, batch: Batch, random: RowRandom, z: Tensor) -> Tensor:
        return self.loss.discriminator(self._logits(batch.samples), self._logits(self.generator(z).detach()))

    def of_generator(self, batch: Batch, random: RowRandom, z: Tensor) -> Tensor:
        return self.loss.generator(self._logits(self.generator(z)))

    def _logits(self, samples: Tensor) -> Tensor:
        logits: Tensor = self.discriminator(self.encoder(samples))
        return logits

    def _draw(self, batch: Batch, random: torch.Generator) -> tuple[Tensor]:
        return (self.noise(len(batch), random),)
