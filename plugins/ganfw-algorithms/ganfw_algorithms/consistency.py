"""Consistency regularization: what should not matter to the discriminator, and what should to the generator."""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor
from torch.nn import functional

from ganfw import InputError, RowRandom, UpdateContext


class BalancedConsistency:
    """bCR: the discriminator is to ignore changes that leave what a sample shows, of real samples and fakes alike.

        real_weight · E[(D(x) - D(T(x)))²] + fake_weight · E[(D(G(z)) - D(T(G(z))))²]

    is added to its loss. T shifts images by up to `shift` pixels in both directions, with 0 where nothing was, mirrors
    them with `flips`, and adds N(0, noise_std²) to every coordinate. The loss itself does not see T, so a generator
    does not learn to make shifted images. Each loss of the discriminator has two more passes.

    Source: Zhao et al., "Improved Consistency Regularization for GANs", 2021. The defaults of both weights are those of
    PyTorch-StudioGAN for CIFAR-10.

    Raises:
        InputError: T changes nothing, or samples that are not images are to be shifted or mirrored.
    """

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        /,
        *,
        real_weight: Annotated[float, Ge(0), "weight of the term of real samples"] = 10.0,
        fake_weight: Annotated[float, Ge(0), "weight of the term of fakes"] = 10.0,
        shift: Annotated[int, Ge(0), "largest shift in pixels; 0 for none"] = 2,
        flips: Annotated[bool, "mirror half of the images left to right; not for digits"] = False,
        noise_std: Annotated[float, Ge(0), "standard deviation of the noise that is added; 0 for none"] = 0.0,
    ) -> None:
        if (shift or flips) and len(sample_shape) != 3:
            raise InputError(
                f"shift and flips need images (channels, height, width), not samples {sample_shape}; "
                "set shift = 0, flips = false and a noise_std"
            )
        if not (shift or flips or noise_std):
            raise InputError("T changes nothing; set shift, flips or noise_std")
        self.real_weight = real_weight
        self.fake_weight = fake_weight
        self.shift = shift
        self.flips = flips
        self.noise_std = noise_std

    def discriminator(self, context: UpdateContext) -> Tensor:
        """Return both terms, added up, a scalar."""
        assert context.real_logits is not None
        real, fake = (context.discriminate(self.change(each, context.random)) for each in (context.real, context.fake))
        of_real, of_fake = (context.real_logits - real).square(), (context.fake_logits - fake).square()
        return self.real_weight * of_real.mean() + self.fake_weight * of_fake.mean()

    def change(self, samples: Tensor, random: RowRandom) -> Tensor:
        """Return T of `(n, *sample_shape)` samples, each changed in its own way."""
        if self.flips:
            mirrored = random.integers(2, 1, 1, 1) == 1
            samples = torch.where(mirrored, samples.flip(3), samples)
        if self.shift:
            samples = _shifted(samples, random.integers(2 * self.shift + 1, 2), self.shift)
        if self.noise_std:
            samples = samples + self.noise_std * random.normal(*samples.shape[1:])
        return samples


class LatentConsistency:
    """zCR: the discriminator is to ignore small changes of the noise, and the generator to show them.

    With z' = z + N(0, noise_std²), the loss of the discriminator gets discriminator_weight · E[(D(G(z)) - D(G(z')))²],
    and that of the generator -generator_weight · E[(G(z) - G(z'))²], the mean over rows and coordinates. The generator
    makes one more batch in the discriminator's update, and two more in its own.

    Source: Zhao et al., "Improved Consistency Regularization for GANs", 2021. The defaults are those of
    PyTorch-StudioGAN for CIFAR-10.

    Raises:
        InputError: in training, the fakes are not made from noise.
    """

    def __init__(
        self,
        *,
        discriminator_weight: Annotated[float, Ge(0), "weight of the discriminator's term"] = 20.0,
        generator_weight: Annotated[float, Ge(0), "weight of the generator's term"] = 0.5,
        noise_std: Annotated[float, Ge(0), "standard deviation of the change of the noise"] = 0.05,
    ) -> None:
        self.discriminator_weight = discriminator_weight
        self.generator_weight = generator_weight
        self.noise_std = noise_std

    def discriminator(self, context: UpdateContext) -> Tensor:
        """Return the mean squared difference of logits, with its weight, a scalar."""
        with torch.no_grad():
            fake = context.generate(self.change(context))
        return self.discriminator_weight * (context.fake_logits - context.discriminate(fake)).square().mean()

    def generator(self, context: UpdateContext) -> Tensor:
        """Return minus the mean squared difference of samples, with its weight, a scalar."""
        changed = self.change(context)
        assert context.z is not None
        # Not context.fake, which augmentations may have changed.
        return -self.generator_weight * (context.generate(context.z) - context.generate(changed)).square().mean()

    def change(self, context: UpdateContext) -> Tensor:
        """Return z', `(batch, z_dim)`."""
        if context.z is None:
            raise InputError("zcr needs fakes that are made from noise; remove it, or take a step with [noise]")
        return context.z + self.noise_std * context.random.normal(*context.z.shape[1:])


def _shifted(images: Tensor, moves: Tensor, most: int) -> Tensor:
    """Return images whose pixels come from further down and right by moves - most, and 0 from beyond the border.

    Args:
        images: `(n, channels, height, width)`.
        moves: `(n, 2)` int64 in [0, 2 most].
        most: the largest shift.
    """
    _, channels, height, width = images.shape
    padded = functional.pad(images, [most] * 4)
    rows = moves[:, :1] + torch.arange(height, device=images.device)
    columns = moves[:, 1:] + torch.arange(width, device=images.device)
    padded = padded.gather(2, rows[:, None, :, None].expand(-1, channels, -1, padded.shape[3]))
    return padded.gather(3, columns[:, None, None, :].expand(-1, channels, height, -1))
