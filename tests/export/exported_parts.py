"""Generators that can be exported, and some that cannot."""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge
from torch import Tensor, nn

from ganfw import Part, SampleRequest, TensorData, hookimpl


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    yield Part(kind="generator", name="by_class", target="exported_parts:ByClass")
    yield Part(kind="generator", name="restless", target="exported_parts:Restless")
    yield Part(kind="generator", name="of_images", target="exported_parts:OfImages")
    yield Part(kind="generator", name="two_faced", target="exported_parts:TwoFaced")
    yield Part(kind="generator", name="of_numpy", target="exported_parts:OfNumPy")
    yield Part(kind="generator", name="of_its_module", target="exported_parts:OfItsModule")
    yield Part(kind="generator", name="not_for_onnx", target="exported_parts:NotForONNX")
    yield Part(kind="data", name="with_images", target="exported_parts:with_images")
    yield Part(kind="noise", name="ones", target="exported_parts:Ones")
    yield Part(kind="sampler", name="zeros", target="exported_parts:Zeros")


Width = Annotated[int, Ge(1), "width of the layer"]


def grey(values: Tensor) -> Tensor:
    return torch.sigmoid(values).unflatten(1, (1, 28, 28))


class ByClass(nn.Module):
    def __init__(self, z_dim: int, num_classes: int | None, /, *, width: Width = 4) -> None:
        super().__init__()
        self.num_classes = num_classes or 1
        self.embedding = nn.Embedding(self.num_classes, width)
        self.first, self.last = nn.Linear(z_dim, width), nn.Linear(width, 784)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        return grey(self.last(torch.relu(self.first(z) + self.embedding(labels))))


class _Plain(nn.Module):
    def __init__(self, z_dim: int, /) -> None:
        super().__init__()
        self.layer = nn.Linear(z_dim, 784)


class Restless(_Plain):
    def forward(self, z: Tensor) -> Tensor:
        return grey(self.layer(z) + torch.randn(len(z), 784))


class OfImages(_Plain):
    def forward(self, z: Tensor, clean: Tensor) -> Tensor:
        return grey(self.layer(z)) * clean


class TwoFaced(_Plain):
    def forward(self, z: Tensor) -> Tensor:
        return grey(self.layer(z) + (0.1 if torch.compiler.is_exporting() else 0.0))


class OfNumPy(_Plain):
    def forward(self, z: Tensor) -> Tensor:
        return grey(self.layer(z) * float(np.ones(())))


FACTOR = 1.0
FACTOR += 1.0


class OfItsModule(_Plain):
    def forward(self, z: Tensor) -> Tensor:
        return grey(self.layer(z) * FACTOR)


class NotForONNX(_Plain):
    def forward(self, z: Tensor) -> Tensor:
        return grey(self.layer(z)) if z.sum() > 1e9 else grey(-self.layer(z))


def with_images() -> TensorData:
    images = torch.rand(64, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    return TensorData(images, more={"clean": images})


class Ones:
    z_dim = 3

    def __init__(self, device: torch.device, /) -> None:
        self.device = device

    def __call__(self, count: int, random: torch.Generator) -> Tensor:
        return torch.ones(count, 3) + torch.rand(count, 3, generator=random)


class Zeros:
    def __init__(self, sample_shape: tuple[int, ...], /) -> None:
        self.sample_shape = sample_shape

    def __call__(self, request: SampleRequest) -> Tensor:
        return torch.zeros(request.count, *self.sample_shape)
