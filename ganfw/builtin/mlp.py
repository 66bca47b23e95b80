"""The multilayer perceptrons of the classic MNIST GAN."""

import math
from itertools import pairwise
from typing import Annotated, Literal

from annotated_types import Ge
from torch import nn


class MLPGenerator(nn.Sequential):
    """Maps noise to samples through four blocks of growing width.

    Blocks `z_dim -> h -> 2h -> 4h -> 8h`, each Linear, BatchNorm1d, ReLU; then Linear and Sigmoid, without norm.
    Samples are in (0, 1), as images must be; `output = "linear"` leaves out the Sigmoid, and they may be anywhere.
    """

    def __init__(
        self,
        z_dim: int,
        sample_shape: tuple[int, ...],
        /,
        *,
        hidden_dim: Annotated[int, Ge(1), "width h of the first block; the last has 8h"] = 128,
        norm: Annotated[Literal["batch", "none"], "what stands between Linear and ReLU"] = "batch",
        output: Annotated[Literal["sigmoid", "linear"], "samples in (0, 1), or anywhere, for points"] = "sigmoid",
    ) -> None:
        widths = [z_dim, hidden_dim, 2 * hidden_dim, 4 * hidden_dim, 8 * hidden_dim]
        super().__init__(
            *(_generator_block(*pair, norm=norm) for pair in pairwise(widths)),
            nn.Linear(widths[-1], math.prod(sample_shape)),
            *([nn.Sigmoid()] if output == "sigmoid" else []),
            nn.Unflatten(1, sample_shape),
        )


class MLPDiscriminator(nn.Sequential):
    """Maps samples to a logit through three blocks of falling width.

    Blocks `pixels -> 4h -> 2h -> h`, each Linear and LeakyReLU(0.2); then Linear to one logit.
    """

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        /,
        *,
        hidden_dim: Annotated[int, Ge(1), "width h of the last block; the first has 4h"] = 128,
    ) -> None:
        widths = [math.prod(sample_shape), 4 * hidden_dim, 2 * hidden_dim, hidden_dim]
        super().__init__(
            nn.Flatten(),
            *(_discriminator_block(*pair) for pair in pairwise(widths)),
            nn.Linear(hidden_dim, 1),
        )


def _generator_block(in_features: int, out_features: int, *, norm: Literal["batch", "none"]) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(in_features, out_features),
        *([nn.BatchNorm1d(out_features)] if norm == "batch" else []),
        nn.ReLU(inplace=True),
    )


def _discriminator_block(in_features: int, out_features: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(in_features, out_features), nn.LeakyReLU(0.2))
