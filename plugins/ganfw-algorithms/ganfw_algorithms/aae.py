"""Adversarial autoencoder: an autoencoder whose codes follow the prior, so that its decoder is a generator."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from ganfw import Batch, Loss, Noise, RowRandom, Training, Update, draw_noise, evaluation_mode, outputs_of
from ganfw_algorithms.measurements import EverySteps, Measurement, held_out
from ganfw_algorithms.perceptrons import HiddenDim, layers_down

DIRECTIONS = 100
"""Lines that codes are projected onto, to be compared."""


class CodeMLPDiscriminator(nn.Module):
    """Gives a logit for a code: blocks `z_dim -> 4h -> 4h`, each Linear and LeakyReLU(0.2), then Linear."""

    def __init__(self, z_dim: int, /, *, hidden_dim: HiddenDim = 64) -> None:
        super().__init__()
        h = hidden_dim
        self.layers = nn.Sequential(layers_down([z_dim, 4 * h, 4 * h]), nn.Linear(4 * h, 1))

    def forward(self, z: Tensor) -> Tensor:
        """Return logits `(n, 1)` for `(n, z_dim)` float32."""
        logits: Tensor = self.layers(z)
        return logits


class AdversarialAutoencoder:
    """An encoder and a generator that decodes, and a discriminator that tells codes from noise.

    Each batch has three updates, each under an optimizer of its own:

        autoencoder:        the mean squared difference of G(E(x)) from x; encoder and generator learn
        code_discriminator: noise z is real, codes E(x) are fake
        encoder:            the codes are to be taken for noise

    In the end the codes of the data are distributed as the noise is. So the generator has seen codes from everywhere
    where noise falls, and makes samples of noise.

    Source: Makhzani et al., "Adversarial Autoencoders", 2015, with a deterministic encoder.
    """

    def __init__(
        self, generator: nn.Module, encoder: nn.Module, code_discriminator: nn.Module, noise: Noise, loss: Loss, /
    ) -> None:
        self.generator, self.encoder, self.code_discriminator = generator, encoder, code_discriminator
        self.noise, self.loss = noise, loss

    def updates(self) -> Sequence[Update]:
        """Return the update of the reconstruction, then those of the discriminator and of the encoder against it."""
        return [
            Update("autoencoder", self.reconstruction_loss),
            Update("code_discriminator", self.discriminator_loss, draw=self.draw),
            Update("encoder", self.encoder_loss),
        ]

    def draw(self, batch: Batch, random: torch.Generator) -> tuple[Tensor]:
        """Return noise, `(batch, z_dim)`."""
        return (self.noise(len(batch), random),)

    def reconstruction_loss(self, batch: Batch, random: RowRandom) -> Tensor:
        """Return the mean squared error, which encoder and generator minimise."""
        return mse_loss(self.generator(self.encoder(batch.samples)["z"]), batch.samples)

    def discriminator_loss(self, batch: Batch, random: RowRandom, z: Tensor) -> Tensor:
        """Return what the discriminator of codes minimises."""
        with torch.no_grad():
            codes = self.encoder(batch.samples)["z"]
        return self.loss.discriminator(self.logits(z), self.logits(codes))

    def encoder_loss(self, batch: Batch, random: RowRandom) -> Tensor:
        """Return what the encoder minimises against the discriminator."""
        return self.loss.generator(self.logits(self.encoder(batch.samples)["z"]))

    def logits(self, z: Tensor) -> Tensor:
        """Return the discriminator's logits, `(n, 1)`, of noise or codes `(n, z_dim)`."""
        return outputs_of(self.code_discriminator(z))["logits"]


class Autoencoding(Measurement):
    """Measures how well held-out samples are found again from their codes, and whether the codes follow the prior.

    `reconstruction` is the mean squared error of `generator(encoder(x))`, and `pca` is that of the linear autoencoder
    with codes of the same length that is best for the training samples. `code_distance` is the sliced Wasserstein
    distance of the codes from as many noise vectors. `prior_distance` is that of two draws of noise, what is left where
    codes follow the prior exactly.
    """

    name = "autoencoding"

    def __init__(
        self, generator: nn.Module, encoder: nn.Module, noise: Noise, /, *, every_steps: EverySteps = 1000
    ) -> None:
        super().__init__(every_steps)
        self.generator, self.encoder, self.noise = generator, encoder, noise
        self.pca: float | None = None

    @torch.no_grad()
    def measure(self, training: Training) -> Mapping[str, float]:
        """Return the four numbers.

        Raises:
            RunError: the data has no held-out part.
        """
        experiment = training.experiment
        data = held_out(training, self.name).samples
        errors, codes = [], []
        with evaluation_mode(self.generator, self.encoder):
            for chunk in data.split(1000):
                samples = chunk.float() / 255
                codes.append(self.encoder(samples)["z"])
                errors.append((self.generator(codes[-1]) - samples).square().double().flatten(1).mean(1))
        z = torch.cat(codes)
        first, second = (draw_noise(self.noise, len(z), seed=experiment.settings.seed + each) for each in (0, 1))
        if self.pca is None:
            seen = experiment.batches.first(10_000).samples
            self.pca = principal_error(seen, data.float() / 255, z.shape[1])
        return {
            "reconstruction": float(torch.cat(errors).mean()),
            "pca": self.pca,
            "code_distance": sliced_distance(z, first),
            "prior_distance": sliced_distance(second, first),
        }


def principal_error(seen: Tensor, samples: Tensor, length: int) -> float:
    """Return the mean squared error of samples projected onto the first principal components of those seen.

    Args:
        seen: `(m, *sample_shape)` float32.
        samples: `(n, *sample_shape)` float32.
        length: how many components.
    """
    mean = seen.flatten(1).double().mean(0)
    centred, apart = (each.flatten(1).double() - mean for each in (seen, samples))
    components = torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -length:]
    return float((apart - apart @ components @ components.T).square().mean())


def sliced_distance(first: Tensor, second: Tensor) -> float:
    """Return the mean, over 100 random lines, of the Wasserstein distance W1 between both projected onto the line.

    On a line W1 is the mean difference of sorted numbers. The lines are the same ones each time.
    Source: Bonneel et al., "Sliced and Radon Wasserstein Barycenters of Measures", 2015, with W1 instead of W2.

    Args:
        first: `(n, d)` float32.
        second: as many.
    """
    lines = torch.randn(first.shape[1], DIRECTIONS, generator=torch.Generator().manual_seed(0)).to(first)
    lines = lines / lines.norm(dim=0)
    one, other = ((each @ lines).double().sort(dim=0).values for each in (first, second))
    return float((one - other).abs().mean())
