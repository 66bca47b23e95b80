"""Semi-supervised learning: a discriminator of K classes and of fakes, of which few real samples have a label."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Literal

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softplus

from ganfw import Batch, InputError, Noise, RowRandom, TensorData, Training, Update, discover, evaluation_mode
from ganfw_algorithms.measurements import EverySteps, Measurement, held_out
from ganfw_algorithms.perceptrons import HiddenDim

CLASSES = 10


def few_labels(
    *,
    split: Annotated[
        Literal["train", "test"], "images of MNIST; those of the test part all have their label"
    ] = "train",
    labels: Annotated[int, Ge(CLASSES), "images with a label, as many of each class"] = 100,
    seed: Annotated[int, Ge(0), "which images have a label follows from it, not from the seed of the run"] = 0,
) -> TensorData:
    """MNIST of which few images have a label.

    Each row is an image without label, and beside it one of the few that have one: those come again and again, so that
    a batch has as many of both.

    Returns:
        `(60000, 1, 28, 28)` uint8 images; the entry `labelled`, as many, and `classes`, `(60000,)` int64, their labels.
        Of the test part, `labelled` are the images themselves.

    Raises:
        InputError: the number of labels is no multiple of 10.
    """
    if labels % CLASSES:
        raise InputError(f"labels must be a multiple of {CLASSES}, as many for each class, not {labels}")
    images: TensorData = discover().load("data", "ganfw:mnist")(split=split)
    assert images.labels is not None
    if split == "test":
        return TensorData(images.samples, more={"labelled": images.samples, "classes": images.labels})
    random = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(images), generator=random)
    each = [order[images.labels[order] == digit][: labels // CLASSES] for digit in range(CLASSES)]
    chosen = torch.cat(each)[torch.arange(len(images)) % labels]
    return TensorData(images.samples, more={"labelled": images.samples[chosen], "classes": images.labels[chosen]})


class GaussianNoise(nn.Module):
    """Adds N(0, std^2) to every number in training, and nothing in evaluation."""

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, x: Tensor) -> Tensor:
        """Return float32 of the same shape."""
        return x + self.std * torch.randn_like(x) if self.training and self.std else x


class OpenSetMLP(nn.Module):
    """A classifier of K classes that may find a sample to be of none: the discriminator of `semi_supervised`.

    With logits l of the classes and 0 as the logit of a fake, a sample is real with probability Z / (Z + 1), Z being
    the sum of exp(l). So its logit is log Z. Blocks `pixels -> 8h -> 4h -> 2h -> 2h`, each Gaussian noise, Linear and
    LeakyReLU(0.2), then noise and Linear. Without noise it knows 100 labels by heart within a few steps.

    Source: Salimans et al., "Improved Techniques for Training GANs", 2016, on semi-supervised learning.

    Raises:
        InputError: the data has no labelled entries.
    """

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        entry_shapes: Mapping[str, tuple[int, ...]],
        /,
        *,
        classes: Annotated[int, Ge(2), "how many classes there are"] = CLASSES,
        hidden_dim: HiddenDim = 64,
        input_noise: Annotated[float, Ge(0), "standard deviation of the noise on pixels"] = 0.3,
        hidden_noise: Annotated[float, Ge(0), "standard deviation of the noise on features"] = 0.5,
    ) -> None:
        if not {"labelled", "classes"} <= entry_shapes.keys():
            raise InputError("the data has no entries 'labelled' and 'classes'; take data.use = 'mnist_few_labels'")
        super().__init__()
        h = hidden_dim
        layers: list[nn.Module] = [nn.Flatten()]
        for index, pair in enumerate(pairwise([math.prod(sample_shape), 8 * h, 4 * h, 2 * h, 2 * h])):
            layers += [GaussianNoise(hidden_noise if index else input_noise), nn.Linear(*pair), nn.LeakyReLU(0.2)]
        self.trunk = nn.Sequential(*layers)
        self.classes = nn.Sequential(GaussianNoise(hidden_noise), nn.Linear(2 * h, classes))

    def forward(self, samples: Tensor) -> dict[str, Tensor]:
        """Return `logits`, `(n, 1)`, `classes`, `(n, classes)`, and `features`, `(n, 2 hidden_dim)`."""
        features = self.trunk(samples)
        classes = self.classes(features)
        return {"logits": classes.logsumexp(1, keepdim=True), "classes": classes, "features": features}


class SemiSupervised:
    """Trains a discriminator that classifies, on few labels and many samples without, against feature matching.

    The discriminator minimises the cross-entropy of the labelled samples, and the binary cross-entropy of real or fake.
    The generator minimises the squared difference of the mean features of fakes and of real samples. With
    `unlabelled_weight = 0` the discriminator learns from the labels alone: the supervised network to compare with.

    Source: Salimans et al., "Improved Techniques for Training GANs", 2016, on feature matching and on semi-supervised
    learning.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        noise: Noise,
        /,
        *,
        unlabelled_weight: Annotated[float, Ge(0), "weight of the samples without label; 0 for supervised"] = 1.0,
    ) -> None:
        self.generator, self.discriminator, self.noise = generator, discriminator, noise
        self.unlabelled_weight = unlabelled_weight

    def updates(self) -> Sequence[Update]:
        """Return the discriminator's update, then the generator's."""
        return [
            Update("discriminator", self.discriminator_loss, draw=self.draw),
            Update("generator", self.generator_loss, draw=self.draw),
        ]

    def draw(self, batch: Batch, random: torch.Generator) -> tuple[Tensor]:
        """Return noise, `(batch, z_dim)`."""
        return (self.noise(len(batch), random),)

    def discriminator_loss(self, batch: Batch, random: RowRandom, z: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return what the discriminator minimises, and its supervised term."""
        supervised = cross_entropy(self.discriminator(batch.more["labelled"])["classes"], batch.more["classes"])
        with torch.no_grad():
            fake = self.generator(z)
        real_logits, fake_logits = (self.discriminator(each)["logits"] for each in (batch.samples, fake))
        unsupervised = (softplus(-real_logits).mean() + softplus(fake_logits).mean()) / 2
        return supervised + self.unlabelled_weight * unsupervised, {"supervised": supervised.detach()}

    def generator_loss(self, batch: Batch, random: RowRandom, z: Tensor) -> Tensor:
        """Return the mean squared difference of mean features."""
        with torch.no_grad():
            real = self.discriminator(batch.samples)["features"].mean(0)
        fake: Tensor = self.discriminator(self.generator(z))["features"].mean(0)
        distance: Tensor = (fake - real).square().mean()
        return distance


class TestError(Measurement):
    """Measures the share of held-out samples that the discriminator classifies wrongly: `test_error`, in [0, 1]."""

    __test__ = False  # for pytest
    name = "test_error"

    def __init__(self, discriminator: nn.Module, /, *, every_steps: EverySteps = 1000) -> None:
        super().__init__(every_steps)
        self.discriminator = discriminator

    @torch.no_grad()
    def measure(self, training: Training) -> Mapping[str, float]:
        """Return `test_error`.

        Raises:
            RunError: the data has no held-out part with labels.
        """
        data = held_out(training, self.name)
        with evaluation_mode(self.discriminator):
            found = [self.discriminator(chunk.float() / 255)["classes"].argmax(1) for chunk in data.samples.split(1000)]
        return {"test_error": float((torch.cat(found) != data.more["classes"]).float().mean())}
