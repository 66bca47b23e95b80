"""The multilayer perceptrons that algorithms of this package are tried with, and how they are put together."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated

import torch
from annotated_types import Ge, Lt
from torch import Tensor, nn

from ganfw import InputError

HiddenDim = Annotated[int, Ge(1), "width h of the narrowest layer"]
Width = Annotated[int, Ge(1), "width of each hidden layer"]
Layers = Annotated[int, Ge(1), "how many hidden layers"]
Dropout = Annotated[float, Ge(0), Lt(1), "share of features that are dropped in training"]


def layers_up(widths: Sequence[int]) -> nn.Sequential:
    """Return Linear, BatchNorm1d and ReLU from each width to the next: `(n, first)` to `(n, last)`."""
    blocks = (
        nn.Sequential(nn.Linear(*pair), nn.BatchNorm1d(pair[1]), nn.ReLU(inplace=True)) for pair in pairwise(widths)
    )
    return nn.Sequential(*blocks)


def layers_down(widths: Sequence[int], dropout: float = 0.0) -> nn.Sequential:
    """Return Linear and LeakyReLU(0.2), with dropout before each, from each width to the next."""
    blocks = (
        nn.Sequential(*([nn.Dropout(dropout)] if dropout else []), nn.Linear(*pair), nn.LeakyReLU(0.2))
        for pair in pairwise(widths)
    )
    return nn.Sequential(*blocks)


def required_classes(num_classes: int | None) -> int:
    """Return how many classes the data has.

    Raises:
        InputError: it has none.
    """
    if num_classes is None:
        raise InputError("the data has no classes, which this network needs")
    return num_classes


class ClassMLPGenerator(nn.Module):
    """The generator `mlp` of ganfw, given a one-hot vector of the class beside the noise.

    Blocks `z_dim + classes -> h -> 2h -> 4h -> 8h`, each Linear, BatchNorm1d, ReLU; then Linear and Sigmoid.

    Attributes:
        num_classes: how many classes there are.

    Raises:
        InputError: the data has no classes.
    """

    def __init__(
        self, z_dim: int, sample_shape: tuple[int, ...], num_classes: int | None, /, *, hidden_dim: HiddenDim = 128
    ) -> None:
        super().__init__()
        self.num_classes = required_classes(num_classes)
        h = hidden_dim
        self.blocks = layers_up([z_dim + self.num_classes, h, 2 * h, 4 * h, 8 * h])
        self.last = nn.Sequential(
            nn.Linear(8 * h, math.prod(sample_shape)), nn.Sigmoid(), nn.Unflatten(1, sample_shape)
        )

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Return `(n, *sample_shape)` float32 in (0, 1) for `(n, z_dim)` float32 and `(n,)` int64."""
        classes = nn.functional.one_hot(labels, self.num_classes)
        samples: Tensor = self.last(self.blocks(torch.cat([z, classes.to(z.dtype)], dim=1)))
        return samples


class ClassMLPDiscriminator(nn.Module):
    """The discriminator `mlp` of ganfw with a second head, logits of the classes.

    Blocks `pixels -> 4h -> 2h -> h`, each Linear and LeakyReLU(0.2); then one Linear to a logit, and one to a logit for
    each class.

    Raises:
        InputError: the data has no classes.
    """

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        num_classes: int | None,
        /,
        *,
        hidden_dim: HiddenDim = 128,
        dropout: Dropout = 0.0,
    ) -> None:
        super().__init__()
        h = hidden_dim
        self.trunk = nn.Sequential(nn.Flatten(), layers_down([math.prod(sample_shape), 4 * h, 2 * h, h], dropout))
        self.logit = nn.Linear(h, 1)
        self.classes = nn.Linear(h, required_classes(num_classes))

    def forward(self, samples: Tensor) -> dict[str, Tensor]:
        """Return `logits`, `(n, 1)`, and `classes`, `(n, num_classes)`, for `(n, *sample_shape)` float32."""
        features = self.trunk(samples)
        return {"logits": self.logit(features), "classes": self.classes(features)}


class FeatureMLPDiscriminator(nn.Module):
    """The discriminator `mlp` of ganfw, which also gives the features that its logit is made from.

    Blocks `pixels -> 4h -> 2h -> h`, each Linear and LeakyReLU(0.2); then Linear to one logit.
    """

    def __init__(self, sample_shape: tuple[int, ...], /, *, hidden_dim: HiddenDim = 128) -> None:
        super().__init__()
        h = hidden_dim
        self.trunk = nn.Sequential(nn.Flatten(), layers_down([math.prod(sample_shape), 4 * h, 2 * h, h]))
        self.logit = nn.Linear(h, 1)

    def forward(self, samples: Tensor) -> dict[str, Tensor]:
        """Return `logits`, `(n, 1)`, and `features`, `(n, hidden_dim)`, for `(n, *sample_shape)` float32."""
        features = self.trunk(samples)
        return {"logits": self.logit(features), "features": features}


class EvenMLPGenerator(nn.Sequential):
    """A small generator for points: `layers` blocks of one width, Linear and ReLU, then Linear, without bounds.

    Source: the toy networks of Metz et al., "Unrolled Generative Adversarial Networks", 2017, have two such blocks of
    128 in the generator and one in the discriminator. Here the initialisation is torch's, and inputs are not scaled.
    """

    def __init__(
        self, z_dim: int, sample_shape: tuple[int, ...], /, *, hidden_dim: Width = 128, layers: Layers = 2
    ) -> None:
        widths = [z_dim, *[hidden_dim] * layers]
        super().__init__(
            *_even_blocks(widths), nn.Linear(widths[-1], math.prod(sample_shape)), nn.Unflatten(1, sample_shape)
        )


class EvenMLPDiscriminator(nn.Sequential):
    """A small discriminator for points: `layers` blocks of one width, Linear and ReLU, then Linear to one logit."""

    def __init__(self, sample_shape: tuple[int, ...], /, *, hidden_dim: Width = 128, layers: Layers = 1) -> None:
        widths = [math.prod(sample_shape), *[hidden_dim] * layers]
        super().__init__(nn.Flatten(), *_even_blocks(widths), nn.Linear(widths[-1], 1))


def _even_blocks(widths: Sequence[int]) -> Iterator[nn.Module]:
    for pair in pairwise(widths):
        yield nn.Linear(*pair)
        yield nn.ReLU()
