"""Parts of five algorithms that are not the classic GAN, written as an author outside ganfw would."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganfw import Batch, Loss, Noise, Part, RowRandom, TensorData, Update, UpdateContext, call_network, hookimpl

H = 8


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    """Offer the parts."""

    def part(kind: str, name: str, target: str) -> Part:
        return Part(kind=kind, name=name, target=f"{__name__}:{target}", help=f"{name} of the tests")

    yield part("data", "two_domains", "two_domains")
    yield part("noise", "codes", "Codes")
    yield part("generator", "translator", "translator")
    yield part("network", "translator", "translator")
    yield part("network", "encoder", "encoder")
    yield part("network", "code_head", "CodeHead")
    yield part("network", "patch", "patch")
    yield part("discriminator", "joint", "Joint")
    yield part("discriminator", "patch", "patch")
    yield part("discriminator", "classes", "WithClasses")
    yield part("regularizer", "class_term", "ClassTerm")
    yield part("step", "bigan", "BiGAN")
    yield part("step", "cyclegan", "CycleGAN")
    yield part("step", "infogan", "InfoGAN")


# BiGAN: Donahue, Krähenbühl and Darrell, "Adversarial Feature Learning", 2017, equation 3.


def encoder(sample_shape: tuple[int, ...], z_dim: int, /) -> nn.Module:
    """Return a network from samples to noise."""
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(sample_shape), H), nn.ReLU(), nn.Linear(H, z_dim))


class Joint(nn.Module):
    """Judges pairs of a sample and its noise."""

    def __init__(self, sample_shape: tuple[int, ...], z_dim: int, /) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(math.prod(sample_shape) + z_dim, H), nn.LeakyReLU(0.2), nn.Linear(H, 1))

    def forward(self, samples: Tensor, z: Tensor) -> Tensor:
        """Return logits `(n, 1)`."""
        logits: Tensor = self.layers(torch.cat([samples.flatten(1), z], dim=1))
        return logits


class BiGAN:
    """Generator and encoder, under one optimizer, deceive a discriminator of pairs."""

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, encoder: nn.Module, noise: Noise, loss: Loss, /
    ) -> None:
        self.generator, self.discriminator, self.encoder = generator, discriminator, encoder
        self.noise, self.loss = noise, loss

    def updates(self) -> Sequence[Update]:
        """Return the discriminator's update, then that of both others."""
        return [
            Update("discriminator", self.discriminator_loss, draw=self.draw),
            Update("generator", self.joint_loss, draw=self.draw),
        ]

    def draw(self, batch: Batch, random: torch.Generator) -> tuple[Tensor]:
        """Return noise."""
        return (self.noise(len(batch), random),)

    def logits(self, batch: Batch, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of real samples with their codes, and of fakes with their noise."""
        real = call_network(self.discriminator, batch.samples, z=self.encoder(batch.samples))
        return real, call_network(self.discriminator, self.generator(z), z=z)

    def discriminator_loss(self, batch: Batch, random: RowRandom, z: Tensor) -> Tensor:
        """Return what the discriminator minimises."""
        return self.loss.discriminator(*self.logits(batch, z))

    def joint_loss(self, batch: Batch, random: RowRandom, z: Tensor) -> Tensor:
        """Return what generator and encoder minimise: the pairs taken for each other."""
        real, fake = self.logits(batch, z)
        return self.loss.discriminator(fake, real)


# CycleGAN: Zhu et al., "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks", 2017,
# section 3: least-squares losses and the cycle term.


def two_domains() -> TensorData:
    """Return squares, and as another entry squares that are turned and brighter."""
    samples = torch.rand(96, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    return TensorData(samples / 2, more={"target": (samples.flip(3) / 2 + 0.5)[torch.arange(96) - 1]})


def translator() -> nn.Module:
    """Return a network from images to images."""
    return nn.Sequential(nn.Conv2d(1, H, 3, padding=1), nn.ReLU(), nn.Conv2d(H, 1, 3, padding=1), nn.Sigmoid())


def patch() -> nn.Module:
    """Return a discriminator with a logit for each patch, `(n, 1, height / 4, width / 4)`."""
    return nn.Sequential(nn.Conv2d(1, H, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(H, 1, 4, 2, 1))


class CycleGAN:
    """Two translators, and a discriminator of each domain; no noise."""

    def __init__(
        self,
        generator: nn.Module,
        back: nn.Module,
        discriminator: nn.Module,
        source_discriminator: nn.Module,
        loss: Loss,
        /,
        *,
        cycle: Annotated[float, "weight of the cycle term"] = 10.0,
    ) -> None:
        self.generator, self.back, self.loss, self.cycle = generator, back, loss, cycle
        self.discriminator, self.source_discriminator = discriminator, source_discriminator

    def updates(self) -> Sequence[Update]:
        """Return the update of both translators, then that of both discriminators."""
        return [Update("generator", self.generator_loss), Update("discriminator", self.discriminator_loss)]

    def generator_loss(self, batch: Batch, random: RowRandom) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return what the translators minimise, and its cycle term."""
        source, target = batch.samples, batch.more["target"]
        fake_target, fake_source = self.generator(source), self.back(target)
        adversarial = self.loss.generator(self.discriminator(fake_target)) + self.loss.generator(
            self.source_discriminator(fake_source)
        )
        cycle = functional.l1_loss(self.back(fake_target), source)
        cycle = cycle + functional.l1_loss(self.generator(fake_source), target)
        return adversarial + self.cycle * cycle, {"cycle": cycle.detach()}

    def discriminator_loss(self, batch: Batch, random: RowRandom) -> Tensor:
        """Return what the discriminators minimise."""
        source, target = batch.samples, batch.more["target"]
        with torch.no_grad():
            fake_target, fake_source = self.generator(source), self.back(target)
        of_target = self.loss.discriminator(self.discriminator(target), self.discriminator(fake_target))
        return of_target + self.loss.discriminator(
            self.source_discriminator(source), self.source_discriminator(fake_source)
        )


# InfoGAN: Chen et al., "InfoGAN: Interpretable Representation Learning by Information Maximizing Generative
# Adversarial Nets", 2016, sections 4 and 5.


class Codes:
    """Noise with a structure: Gaussian coordinates, and a category as a one-hot vector."""

    def __init__(self, device: torch.device, /, *, noise_dim: int = 6, categories: int = 10) -> None:
        self.device = device
        self.noise_dim = noise_dim
        self.categories = categories
        self.z_dim = noise_dim + categories

    def __call__(self, count: int, random: torch.Generator) -> Tensor:
        """Return `(count, z_dim)`."""
        gaussian = torch.randn(count, self.noise_dim, generator=random, device=self.device)
        category = torch.randint(self.categories, (count,), generator=random, device=self.device)
        return torch.cat([gaussian, functional.one_hot(category, self.categories).float()], dim=1)

    def split(self, z: Tensor) -> Mapping[str, Tensor]:
        """Return the pieces of noise by name."""
        return {"noise": z[:, : self.noise_dim], "category": z[:, self.noise_dim :]}


class CodeHead(nn.Module):
    """Guesses the category of a sample."""

    def __init__(self, sample_shape: tuple[int, ...], noise: Any, /) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(sample_shape), noise.categories))

    def forward(self, samples: Tensor) -> Mapping[str, Tensor]:
        """Return the logits of the categories by name."""
        return {"category": self.layers(samples)}


class InfoGAN:
    """The classic updates, and one of generator and head that raises the information about the category."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module, q: nn.Module, noise: Any, loss: Loss, /) -> None:
        self.generator, self.discriminator, self.q = generator, discriminator, q
        self.noise, self.loss = noise, loss

    def updates(self) -> Sequence[Update]:
        """Return the three updates."""
        losses = {
            "discriminator": self.discriminator_loss,
            "generator": self.generator_loss,
            "information": self.information_loss,
        }
        return [Update(name, loss, draw=self.draw) for name, loss in losses.items()]

    def draw(self, batch: Batch, random: torch.Generator) -> tuple[Tensor]:
        """Return noise."""
        return (self.noise(len(batch), random),)

    def discriminator_loss(self, batch: Batch, random: RowRandom, z: Tensor) -> Tensor:
        """Return what the discriminator minimises."""
        with torch.no_grad():
            fake = self.generator(z)
        return self.loss.discriminator(self.discriminator(batch.samples), self.discriminator(fake))

    def generator_loss(self, batch: Batch, random: RowRandom, z: Tensor) -> Tensor:
        """Return what the generator minimises."""
        return self.loss.generator(self.discriminator(self.generator(z)))

    def information_loss(self, batch: Batch, random: RowRandom, z: Tensor) -> Tensor:
        """Return the cross-entropy of the category, a bound of its information with the sample."""
        guess = self.q(self.generator(z))["category"]
        return functional.cross_entropy(guess, self.noise.split(z)["category"].argmax(1))


# AC-GAN: Odena, Olah and Shlens, "Conditional Image Synthesis with Auxiliary Classifier GANs", 2017, section 3.


class WithClasses(nn.Module):
    """A discriminator with a logit, and logits of classes beside it."""

    def __init__(self, sample_shape: tuple[int, ...], num_classes: int, /) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(sample_shape), H), nn.LeakyReLU(0.2))
        self.logit, self.classes = nn.Linear(H, 1), nn.Linear(H, num_classes)

    def forward(self, samples: Tensor) -> Mapping[str, Tensor]:
        """Return outputs by name."""
        features = self.trunk(samples)
        return {"logits": self.logit(features), "classes": self.classes(features)}


class ClassTerm:
    """Adds the cross-entropy of the classes of real samples and fakes to both losses."""

    def discriminator(self, context: UpdateContext) -> Tensor:
        """Return the term of the discriminator's loss."""
        assert context.real_outputs is not None
        return _entropy(context.real_outputs, context.labels) + _entropy(context.fake_outputs, context.labels)

    def generator(self, context: UpdateContext) -> Tensor:
        """Return the term of the generator's loss."""
        return _entropy(context.fake_outputs, context.labels)


def _entropy(outputs: Mapping[str, Tensor], labels: Tensor | None) -> Tensor:
    assert labels is not None
    return functional.cross_entropy(outputs["classes"], labels)
