"""BiGAN: a generator with an inverse, an encoder, both against a discriminator of pairs."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ganfw import (
    Batch,
    InputError,
    Loss,
    Noise,
    RowRandom,
    SampleRequest,
    Training,
    Update,
    call_network,
    evaluation_mode,
    generate,
)
from ganfw_algorithms.measurements import EverySteps, Measurement, held_out
from ganfw_algorithms.perceptrons import Dropout, HiddenDim, layers_down

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1)
"""Weights of the squared norm that a probe chooses from."""


class MLPEncoder(nn.Module):
    """Maps samples to noise, the inverse of a generator: blocks `pixels -> 8h -> 4h -> 4h`, then Linear.

    Each block is Linear, BatchNorm1d in all but the first, and LeakyReLU(0.2). The last gives the features.
    """

    def __init__(self, sample_shape: tuple[int, ...], z_dim: int, /, *, hidden_dim: HiddenDim = 64) -> None:
        super().__init__()
        h = hidden_dim
        self.first = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(sample_shape), 8 * h), nn.LeakyReLU(0.2))
        blocks = (
            nn.Sequential(nn.Linear(*pair), nn.BatchNorm1d(pair[1]), nn.LeakyReLU(0.2))
            for pair in pairwise([8 * h, 4 * h, 4 * h])
        )
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Linear(4 * h, z_dim)

    def forward(self, samples: Tensor) -> dict[str, Tensor]:
        """Return `z`, `(n, z_dim)`, and `features`, `(n, 4 hidden_dim)`, for `(n, *sample_shape)` float32."""
        features = self.blocks(self.first(samples))
        return {"z": self.last(features), "features": features}


class PairMLPDiscriminator(nn.Module):
    """Gives a logit for a sample together with its noise: blocks `pixels + z_dim -> 8h -> 4h -> 4h`, then Linear.

    Each block is Linear and LeakyReLU(0.2), with dropout before it.
    """

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        z_dim: int,
        /,
        *,
        hidden_dim: HiddenDim = 64,
        dropout: Dropout = 0.2,
    ) -> None:
        super().__init__()
        h = hidden_dim
        self.layers = layers_down([math.prod(sample_shape) + z_dim, 8 * h, 4 * h, 4 * h], dropout)
        self.last = nn.Linear(4 * h, 1)

    def forward(self, samples: Tensor, z: Tensor) -> Tensor:
        """Return logits `(n, 1)` for `(n, *sample_shape)` and `(n, z_dim)`, both float32."""
        logits: Tensor = self.last(self.layers(torch.cat([samples.flatten(1), z], dim=1)))
        return logits


class BiGAN:
    """Generator and encoder, under one optimizer, against a discriminator of pairs of a sample and its noise.

    Real samples come with the noise that the encoder gives them, fakes with the noise that they were made from; where
    no discriminator can tell them apart, each network is the other's inverse. Generator and encoder minimise the
    discriminator's loss with the two kinds of pairs exchanged.

    `r1_weight` adds weight/2 · E[||∇D(x, E(x))||²] to the discriminator's loss, the slope with respect to the sample
    and its code together. With it the discriminator does not win, and rates can be high.

    Source: Donahue, Krähenbühl and Darrell, "Adversarial Feature Learning", 2017; the same idea: Dumoulin et al.,
    "Adversarially Learned Inference", 2017. The penalty, there on samples: Mescheder, Geiger and Nowozin, "Which
    Training Methods for GANs do actually Converge?", 2018, section 4.1.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        encoder: nn.Module,
        noise: Noise,
        loss: Loss,
        /,
        *,
        r1_weight: Annotated[float, Ge(0), "weight of the penalty on the slope at real pairs; 0 for none"] = 0.0,
    ) -> None:
        self.generator, self.discriminator, self.encoder = generator, discriminator, encoder
        self.noise, self.loss, self.r1_weight = noise, loss, r1_weight

    def updates(self) -> Sequence[Update]:
        """Return the discriminator's update, then that of generator and encoder."""
        return [
            Update("discriminator", self.discriminator_loss, draw=self.draw),
            Update("generator", self.pair_loss, draw=self.draw),
        ]

    def draw(self, batch: Batch, random: torch.Generator) -> tuple[Tensor]:
        """Return noise, `(batch, z_dim)`."""
        return (self.noise(len(batch), random),)

    def logits(self, batch: Batch, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of real samples with their codes, and of fakes with their noise."""
        real = call_network(self.discriminator, batch.samples, z=self.encoder(batch.samples)["z"])
        return real, call_network(self.discriminator, self.generator(z), z=z)

    def discriminator_loss(self, batch: Batch, random: RowRandom, z: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return what the discriminator minimises, and the penalty, if there is one."""
        if not self.r1_weight:
            return self.loss.discriminator(*self.logits(batch, z)), {}
        pair = [each.detach().requires_grad_() for each in (batch.samples, self.encoder(batch.samples)["z"])]
        real = call_network(self.discriminator, pair[0], z=pair[1])
        slopes = torch.autograd.grad(real.mean(), pair, create_graph=True)  # the mean, as in ganfw's own R1
        slopes_of_rows = len(batch) * torch.cat([slope.flatten(1) for slope in slopes], dim=1)
        penalty = self.r1_weight / 2 * slopes_of_rows.square().sum(1).mean()
        fake = call_network(self.discriminator, self.generator(z), z=z)
        return self.loss.discriminator(real, fake) + penalty, {"r1": penalty.detach()}

    def pair_loss(self, batch: Batch, random: RowRandom, z: Tensor) -> Tensor:
        """Return what generator and encoder minimise: each kind of pair is to be taken for the other."""
        real, fake = self.logits(batch, z)
        return self.loss.discriminator(fake, real)


class Reconstruction:
    """Gives what the generator makes of the encoder's codes of given inputs."""

    takes_inputs = True

    def __init__(self, generator: nn.Module, encoder: nn.Module, device: torch.device, /) -> None:
        self.generator, self.encoder, self.device = generator, encoder, device

    @torch.no_grad()
    def __call__(self, request: SampleRequest) -> Tensor:
        """Return `(count, *sample_shape)` float32 on the CPU, at most one for each input.

        Raises:
            InputError: the request has no inputs, or asks for truncation.
        """
        if request.inputs is None:
            raise InputError("a reconstruction needs inputs: ganfw sample RUN --input FILE")
        if request.truncation is not None:
            raise InputError("a reconstruction has no noise to truncate; leave --truncation out")
        samples = request.inputs.samples[: request.count].to(self.device)
        with evaluation_mode(self.encoder):
            codes = [self.encoder(chunk)["z"] for chunk in samples.split(request.batch_size)]
        return generate(self.generator, torch.cat(codes), labels=request.labels, batch_size=request.batch_size)


class LinearProbe(Measurement):
    """Measures how well a linear classifier does that sees the encoder's features, beside one that sees pixels.

    Multinomial logistic regression learns from few labelled training samples, each input standardised; the weight of
    its squared norm is chosen from four by the accuracy on as many others. `features`, `codes` and `pixels` are
    accuracies on the held-out samples, in [0, 1].
    """

    name = "linear_probe"

    def __init__(
        self,
        encoder: nn.Module,
        /,
        *,
        labels: Annotated[int, Ge(10), "training samples whose labels it sees"] = 1000,
        every_steps: EverySteps = 1000,
    ) -> None:
        super().__init__(every_steps)
        self.encoder = encoder
        self.labels = labels

    def measure(self, training: Training) -> Mapping[str, float]:
        """Return the three accuracies.

        Raises:
            RunError: the data has no held-out part.
            InputError: the data has no labels.
        """
        batch, data = training.experiment.batches.first(2 * self.labels), held_out(training, self.name)
        if batch.labels is None or data.labels is None:
            raise InputError("linear_probe needs data with labels")
        targets = [*batch.labels.split(self.labels), data.labels]
        encoded = [self.encode(each) for each in (*batch.samples.split(self.labels), data.samples.float() / 255)]
        return {name: _accuracy([each[name] for each in encoded], targets) for name in ("features", "codes", "pixels")}

    @torch.no_grad()
    def encode(self, samples: Tensor) -> dict[str, Tensor]:
        """Return `features`, `codes` and `pixels`, `(n, ...)` float64."""
        with evaluation_mode(self.encoder):
            outputs = self.encoder(samples)
        seen = {"features": outputs["features"], "codes": outputs["z"], "pixels": samples.flatten(1)}
        return {name: each.double() for name, each in seen.items()}


def _accuracy(inputs: Sequence[Tensor], targets: Sequence[Tensor]) -> float:
    """Return the accuracy on the last of three sets of a classifier that learns from the first, tuned on the second."""
    mean, spread = inputs[0].mean(0), inputs[0].std(0) + 1e-3
    learnt, tuned, tested = ((each - mean) / spread for each in inputs)
    classes = int(targets[0].max()) + 1
    probes = [fit_probe(learnt, targets[0], classes, strength) for strength in STRENGTHS]
    best = max(probes, key=lambda probe: _right(tuned, targets[1], *probe))
    return _right(tested, targets[2], *best)


def fit_probe(inputs: Tensor, targets: Tensor, classes: int, strength: float) -> tuple[Tensor, Tensor]:
    """Return weights `(d, classes)` and biases `(classes,)` of a logistic regression with a penalty on the weights.

    Args:
        inputs: `(n, d)` float64.
        targets: `(n,)` int64.
        classes: how many there are.
        strength: the weight of half the squared norm, beside the mean cross-entropy.
    """
    weights, biases = (
        torch.zeros(*size, classes, dtype=inputs.dtype, device=inputs.device) for size in (inputs.shape[1:], ())
    )
    parameters = [weights.requires_grad_(), biases.requires_grad_()]
    optimizer = torch.optim.LBFGS(parameters, max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = cross_entropy(inputs @ weights + biases, targets) + strength / 2 * weights.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return weights.detach(), biases.detach()


def _right(inputs: Tensor, targets: Tensor, weights: Tensor, biases: Tensor) -> float:
    return float(((inputs @ weights + biases).argmax(1) == targets).double().mean())
