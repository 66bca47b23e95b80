"""Parts that draw from torch's global generator in every step, or have state of their own."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from ganfw import Noise, Part, TensorData, hookimpl


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    yield Part(kind="discriminator", name="dropout_mlp", target="scripted_parts:DropoutMLP")
    yield Part(kind="noise", name="counting", target="scripted_parts:Counting")
    yield Part(kind="generator", name="asking", target="scripted_parts:Asking")
    yield Part(kind="data", name="noisy_digits", target="scripted_parts:NoisyDigits")
    yield Part(kind="data", name="few_digits", target="scripted_parts:few_digits")


class DropoutMLP(nn.Sequential):
    def __init__(self, sample_shape: tuple[int, ...], /, *, hidden_dim: int = 8) -> None:
        super().__init__(nn.Flatten(), nn.Linear(784, hidden_dim), nn.Dropout(0.5), nn.Linear(hidden_dim, 1))


class Counting:
    z_dim = 3

    def __init__(self, device: torch.device, /) -> None:
        self.device, self.calls = device, 0

    def __call__(self, count: int, random: torch.Generator) -> Tensor:
        self.calls += 1
        return torch.randn(count, 3, generator=random, device=self.device)

    def state_dict(self) -> dict[str, Any]:
        return {"calls": self.calls}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.calls = state["calls"]


class Asking(nn.Sequential):
    def __init__(self, noise: Noise, /) -> None:
        super().__init__(nn.Linear(3, 784), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28)))
        object.__setattr__(self, "noise", noise)


class NoisyDigits(Dataset[Any]):
    def __len__(self) -> int:
        return 23

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return torch.rand(1, 28, 28), index


def few_digits() -> TensorData:
    return TensorData(torch.arange(64 * 784, dtype=torch.uint8).reshape(64, 1, 28, 28))
