"""A condition that is a number: the slant of a digit, which networks are given and samples are measured by."""

import math
from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from annotated_types import Ge
from torch import Tensor, nn

from ganfw import (
    InputError,
    MetricInputs,
    MetricValue,
    Noise,
    SampleRequest,
    TensorData,
    discover,
    draw_noise,
    generate,
)
from ganfw_algorithms.perceptrons import HiddenDim, layers_down, layers_up


def slant_of(images: Tensor) -> Tensor:
    """Return the slant of images: by how many pixels a stroke moves to the right for each pixel that it goes up.

    It is the coefficient of the shear that deskews an image: the covariance of the two coordinates of its ink, divided
    by the variance of the height. Upright digits have 0, and those that lean to the right more.

    Args:
        images: `(n, 1, height, width)` uint8 or float32.

    Returns:
        `(n,)` float32; 0 for images whose ink is in one row, or that have none.
    """
    ink = images[:, 0].double()
    height, width = ink.shape[1:]
    up = -torch.arange(height, dtype=ink.dtype, device=ink.device)[:, None]
    right = torch.arange(width, dtype=ink.dtype, device=ink.device)[None, :]
    ink = ink / ink.sum((1, 2), keepdim=True).clamp(min=1e-12)
    up, right = (each - (ink * each).sum((1, 2), keepdim=True) for each in (up, right))
    variance = (ink * up.square()).sum((1, 2))
    return torch.where(variance > 1e-6, (ink * up * right).sum((1, 2)) / variance.clamp(min=1e-6), 0.0).float()


def slanted_digits(
    *, split: Annotated[Literal["train", "test"], "60,000 training or 10,000 test images"] = "train"
) -> TensorData:
    """MNIST, with the slant of each digit as its label.

    Returns:
        `(60000 or 10000, 1, 28, 28)` uint8 images and `(60000 or 10000,)` float32 labels.
    """
    digits: TensorData = discover().load("data", "ganfw:mnist")(split=split)
    slants = torch.cat([slant_of(chunk) for chunk in digits.samples.split(10_000)])
    return TensorData(digits.samples, slants, licence=digits.licence)


class NumberMLPGenerator(nn.Module):
    """The generator `mlp` of ganfw, given a number beside the noise.

    Blocks `z_dim + 1 -> h -> 2h -> 4h -> 8h`, each Linear, BatchNorm1d, ReLU; then Linear and Sigmoid.

    Source of the idea: Mirza and Osindero, "Conditional Generative Adversarial Nets", 2014, for conditions of any kind.
    """

    def __init__(self, z_dim: int, sample_shape: tuple[int, ...], /, *, hidden_dim: HiddenDim = 128) -> None:
        super().__init__()
        h = hidden_dim
        self.blocks = layers_up([z_dim + 1, h, 2 * h, 4 * h, 8 * h])
        self.last = nn.Sequential(
            nn.Linear(8 * h, math.prod(sample_shape)), nn.Sigmoid(), nn.Unflatten(1, sample_shape)
        )

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Return `(n, *sample_shape)` float32 in (0, 1) for `(n, z_dim)` and `(n,)`, both float32."""
        samples: Tensor = self.last(self.blocks(torch.cat([z, labels[:, None].to(z.dtype)], dim=1)))
        return samples


class NumberMLPDiscriminator(nn.Module):
    """The discriminator `mlp` of ganfw, which also says whether a number fits a sample.

    Blocks `pixels -> 4h -> 2h -> h`, each Linear and LeakyReLU(0.2), give the features. The logit is a linear function
    of them, plus their inner product with an embedding of the number: Linear, LeakyReLU(0.2), Linear.

    Source: Miyato and Koyama, "cGANs with Projection Discriminator", 2018, for the inner product. They embed classes.
    """

    def __init__(self, sample_shape: tuple[int, ...], /, *, hidden_dim: HiddenDim = 128) -> None:
        super().__init__()
        h = hidden_dim
        self.trunk = nn.Sequential(nn.Flatten(), layers_down([math.prod(sample_shape), 4 * h, 2 * h, h]))
        self.logit = nn.Linear(h, 1)
        self.embedding = nn.Sequential(nn.Linear(1, h), nn.LeakyReLU(0.2), nn.Linear(h, h))

    def forward(self, samples: Tensor, labels: Tensor) -> Tensor:
        """Return logits `(n, 1)` for `(n, *sample_shape)` and `(n,)`, both float32."""
        features = self.trunk(samples)
        fits = (self.embedding(labels[:, None].to(features.dtype)) * features).sum(1, keepdim=True)
        logits: Tensor = self.logit(features) + fits / math.sqrt(features.shape[1])
        return logits


class NumberTraversal:
    """Samples of the same noise with other numbers: those of a row go from `low` to `high`.

    `ganfw sample -n 100` so gives ten noises, a row each. With `low = high` all samples have that number. Labels that
    are asked for, such as those of an evaluation, are taken as they are, with a noise for each.
    """

    def __init__(
        self,
        generator: nn.Module,
        noise: Noise,
        /,
        *,
        low: Annotated[float, "the number of the first column"] = -1.0,
        high: Annotated[float, "the number of the last column"] = 1.0,
        columns: Annotated[int, Ge(1), "numbers for each noise"] = 10,
    ) -> None:
        self.generator, self.noise = generator, noise
        self.low, self.high, self.columns = low, high, columns

    def __call__(self, request: SampleRequest) -> Tensor:
        """Return `(count, *sample_shape)` float32 on the CPU.

        Raises:
            InputError: no sample is asked for, the labels do not fit, or the noise has no truncation that is asked for.
        """
        if request.count < 1:
            raise InputError(f"the number of samples must be >= 1, not {request.count}")
        columns = self.columns if request.labels is None else 1
        rows = -(-request.count // columns)
        z = draw_noise(self.noise, rows, seed=request.seed, truncation=request.truncation)
        labels = request.labels
        if labels is None:
            labels = torch.linspace(self.low, self.high, columns).repeat(rows)[: request.count]
        z = z.repeat_interleave(columns, 0)[: request.count]
        return generate(self.generator, z, labels=labels, batch_size=request.batch_size)


class SlantError:
    """How far the slants of samples are from those that were asked for.

    `slant_error` is the mean absolute difference. `slant_correlation` is that of the slants with those asked for.
    `slant_error_shuffled` is the mean difference from the slant that another sample was asked for: where the generator
    does not listen, the error is as large. Real samples have error 0, because their labels were measured in the same
    way; their `slant_error_shuffled` is the spread of the data.
    """

    def __call__(self, inputs: MetricInputs) -> Mapping[str, MetricValue]:
        """Return the three numbers."""
        labels, images = inputs.samples.labels, inputs.samples.samples
        if labels is None or not labels.is_floating_point():
            reason = "the samples were made without labels that are numbers"
            return {
                "slant_error": MetricValue(None, "lower", reason),
                "slant_correlation": MetricValue(None, "higher", reason),
                "slant_error_shuffled": MetricValue(None, "", reason),
            }
        asked, found = labels.double(), slant_of(images).double()
        correlation = torch.corrcoef(torch.stack([asked, found]))[0, 1]
        return {
            "slant_error": MetricValue(float((found - asked).abs().mean()), "lower"),
            "slant_correlation": MetricValue(float(correlation), "higher"),
            "slant_error_shuffled": MetricValue(float((found - asked.roll(1)).abs().mean())),
        }
