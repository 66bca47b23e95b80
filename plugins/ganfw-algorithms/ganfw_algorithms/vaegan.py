"""VAE-GAN: a variational autoencoder whose reconstructions are compared by features of the discriminator."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from ganfw import Batch, InputError, Loss, Noise, RowRandom, Training, Update, discover, evaluation_mode, to_uint8
from ganfw_algorithms.bigan import MLPEncoder
from ganfw_algorithms.measurements import EverySteps, Measurement, held_out
from ganfw_algorithms.perceptrons import HiddenDim, layers_down


class GaussianMLPEncoder(nn.Module):
    """Gives a normal distribution of noise for a sample: the network `mlp_encoder`, with twice as many outputs."""

    def __init__(self, sample_shape: tuple[int, ...], z_dim: int, /, *, hidden_dim: HiddenDim = 64) -> None:
        super().__init__()
        self.encoder = MLPEncoder(sample_shape, 2 * z_dim, hidden_dim=hidden_dim)

    def forward(self, samples: Tensor) -> dict[str, Tensor]:
        """Return `z`, the means, and `log_variance`, `(n, z_dim)`, and `features`, `(n, 4 hidden_dim)`.

        Args:
            samples: `(n, *sample_shape)` float32.
        """
        outputs = self.encoder(samples)
        z, log_variance = outputs["z"].chunk(2, dim=1)
        return {"z": z, "log_variance": log_variance, "features": outputs["features"]}


class SimilarityMLPDiscriminator(nn.Module):
    """The discriminator `mlp` of ganfw, which also gives the features of its second block.

    Blocks `pixels -> 4h -> 2h -> h`, each Linear and LeakyReLU(0.2); then Linear to one logit. With the
    features of the third, reconstructions of MNIST were worse.
    """

    def __init__(self, sample_shape: tuple[int, ...], /, *, hidden_dim: HiddenDim = 128) -> None:
        super().__init__()
        h = hidden_dim
        self.first = nn.Sequential(nn.Flatten(), layers_down([math.prod(sample_shape), 4 * h, 2 * h]))
        self.last = nn.Sequential(layers_down([2 * h, h]), nn.Linear(h, 1))

    def forward(self, samples: Tensor) -> dict[str, Tensor]:
        """Return `logits`, `(n, 1)`, and `features`, `(n, 2 hidden_dim)`, for `(n, *sample_shape)` float32."""
        features = self.first(samples)
        return {"logits": self.last(features), "features": features}


class VAEGAN:
    """A variational autoencoder and a GAN that share a network: the generator is the decoder.

    With z' drawn from the encoder's N(mean, variance) of a sample x, each batch has three updates:

        encoder:       KL(N(mean, variance) || N(0, I)) + S
        generator:     similarity_weight S + adversarial_weight (half the losses of G(z') and of G(z), z from the noise)
        discriminator: half its losses of x against G(z') and of x against G(z)

    S is half the squared distance of x from G(z') in features of the discriminator, which S does not train:
    the negative log-likelihood of a normal distribution with covariance I, up to a constant. To S is added
    `pixel_weight` times the same of pixels. With `feature_weight` and `adversarial_weight` 0 this is a variational
    autoencoder of pixels with the variance 1 / pixel_weight.

    Source: Larsen et al., "Autoencoding beyond pixels using a learned similarity metric", 2016. There the losses of
    both kinds of fakes are added up, and all three updates are of one pass.
    """

    def __init__(
        self,
        generator: nn.Module,
        encoder: nn.Module,
        discriminator: nn.Module,
        noise: Noise,
        loss: Loss,
        /,
        *,
        similarity_weight: Annotated[float, Ge(0), "weight of S for the generator, the paper's gamma"] = 1.0,
        adversarial_weight: Annotated[float, Ge(0), "weight of the generator's adversarial loss"] = 1.0,
        feature_weight: Annotated[float, Ge(0), "weight of the discriminator's features in S"] = 1.0,
        pixel_weight: Annotated[float, Ge(0), "weight of pixels in S"] = 0.0,
    ) -> None:
        self.generator, self.encoder, self.discriminator = generator, encoder, discriminator
        self.noise, self.loss = noise, loss
        self.similarity_weight, self.adversarial_weight = similarity_weight, adversarial_weight
        self.feature_weight, self.pixel_weight = feature_weight, pixel_weight

    def updates(self) -> Sequence[Update]:
        """Return the updates of encoder, generator and discriminator."""
        return [
            Update("encoder", self.encoder_loss),
            Update("generator", self.generator_loss, draw=self.draw),
            Update("discriminator", self.discriminator_loss, draw=self.draw),
        ]

    def draw(self, batch: Batch, random: torch.Generator) -> tuple[Tensor]:
        """Return noise, `(batch, z_dim)`."""
        return (self.noise(len(batch), random),)

    def distance(self, batch: Batch, made: Tensor, seen: Mapping[str, Tensor]) -> Tensor:
        """Return S, a scalar, of reconstructions and the discriminator's outputs for them."""
        with torch.no_grad():
            features = features_of(self.discriminator(batch.samples))
        of_features = (features_of(seen) - features).square().flatten(1).sum(1).mean() / 2
        of_pixels = (made - batch.samples).square().flatten(1).sum(1).mean() / 2
        return self.feature_weight * of_features + self.pixel_weight * of_pixels

    def encoder_loss(self, batch: Batch, random: RowRandom) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return what the encoder minimises, and the divergence."""
        codes, divergence = draw_codes(self.encoder, batch.samples, random)
        made = self.generator(codes)
        distance = self.distance(batch, made, self.discriminator(made))
        return divergence + distance, {"divergence": divergence.detach()}

    def generator_loss(self, batch: Batch, random: RowRandom, z: Tensor) -> Tensor:
        """Return what the generator minimises."""
        made = self.generator(draw_codes(self.encoder, batch.samples, random)[0])
        seen = self.discriminator(made)
        both = seen["logits"], self.discriminator(self.generator(z))["logits"]
        adversarial = torch.stack([self.loss.generator(each) for each in both]).mean()
        return self.similarity_weight * self.distance(batch, made, seen) + self.adversarial_weight * adversarial

    def discriminator_loss(self, batch: Batch, random: RowRandom, z: Tensor) -> Tensor:
        """Return what the discriminator minimises."""
        with torch.no_grad():
            codes, _ = draw_codes(self.encoder, batch.samples, random)
            fakes = self.generator(codes), self.generator(z)
        real, *seen = (self.discriminator(each)["logits"] for each in (batch.samples, *fakes))
        return torch.stack([self.loss.discriminator(real, each) for each in seen]).mean()


def draw_codes(encoder: nn.Module, samples: Tensor, random: RowRandom) -> tuple[Tensor, Tensor]:
    """Return codes `(n, z_dim)` drawn for samples, and the mean divergence of their distributions from N(0, I)."""
    outputs = encoder(samples)
    z, log_variance = outputs["z"], outputs["log_variance"]
    divergence = (z.square() + log_variance.exp() - 1 - log_variance).sum(1).mean() / 2
    return z + (log_variance / 2).exp() * random.normal(z.shape[1]), divergence


def features_of(outputs: Mapping[str, Tensor] | Tensor) -> Tensor:
    """Return the features that a discriminator gave, `(n, ...)`.

    Raises:
        InputError: it gave none.
    """
    if isinstance(outputs, Tensor) or "features" not in outputs:
        raise InputError("the discriminator gives no output 'features'; take discriminator.use = 'mlp_similarity'")
    return outputs["features"]


class ReconstructedFeatures(Measurement):
    """Measures what reconstructions of held-out digits have kept, by the classifier that is shipped with ganfw.

    `distance` is the mean squared distance of an image from its reconstruction in the classifier's features, in shares
    of that of an image from another. `agreement` is the share of reconstructions that are read as the digit of the
    image.
    """

    name = "reconstructed_features"

    def __init__(
        self,
        generator: nn.Module,
        encoder: nn.Module,
        /,
        *,
        count: Annotated[int, Ge(2), "held-out samples"] = 10_000,
        every_steps: EverySteps = 1000,
    ) -> None:
        super().__init__(every_steps)
        self.count = count
        self.generator, self.encoder = generator, encoder

    @torch.no_grad()
    def measure(self, training: Training) -> Mapping[str, float]:
        """Return both numbers.

        Raises:
            RunError: the data has no held-out part.
            InputError: the data has no labels.
        """
        data, device = held_out(training, self.name), training.experiment.device
        if data.labels is None:
            raise InputError("reconstructed_features needs data with labels")
        classifier = discover().load("embedding", "ganfw:mnist_classifier")(data.sample_shape, device)
        given, labels = (each[: self.count].cpu() for each in (data.samples, data.labels))
        with evaluation_mode(self.generator, self.encoder):
            codes = [self.encoder(chunk.to(device).float() / 255)["z"] for chunk in given.split(1000)]
            made = torch.cat([to_uint8(self.generator(chunk)).cpu() for chunk in codes])
        seen = [[classifier(chunk) for chunk in images.split(1000)] for images in (given, made)]
        features, of_made = (torch.cat([each for each, _ in chunks]).double() for chunks in seen)
        read = torch.cat([probabilities.argmax(1) for _, probabilities in seen[1]])
        distance = (features - of_made).square().sum() / (features - features.roll(1, 0)).square().sum()
        return {"distance": float(distance), "agreement": float((read == labels).double().mean())}
