"""What the two networks of a GAN minimise: the loss of what the discriminator says, and the terms of penalties."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ganfw.data import Batch, RowRandom
from ganfw.engine.networks import call_network, outputs_of, treats_rows_independently
from ganfw.engine.updates import Update
from ganfw.errors import InputError
from ganfw.protocols import Augmentation, Loss, Noise, Regularizer, UpdateContext

Outputs = Mapping[str, Tensor]


class Objective:
    """Computes the losses of a generator and a discriminator, as the updates of any step want them.

    Each loss returns a scalar and, by name, the terms of penalties: `r1/discriminator`.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: Loss,
        regularizers: Mapping[str, Regularizer] | None = None,
        augmentations: Mapping[str, Augmentation] | None = None,
        networks: Mapping[str, nn.Module] | None = None,
    ) -> None:
        """Put an objective together.

        Args:
            generator: `(n, z_dim)` to `(n, *sample_shape)`.
            discriminator: `(n, *sample_shape)` to logits `(n, 1, ...)`, or to outputs by name.
            loss: scalars from logits.
            regularizers: further terms, and limits of weights, by name.
            augmentations: what happens to samples before the discriminator sees them, in order.
            networks: what penalties are given as `context.networks`; by default, these two.

        Raises:
            InputError: a regularizer or an augmentation has the name of the losses.
        """
        for kind, named in (("a regularizer", regularizers), ("an augmentation", augmentations)):
            if "loss" in (named or {}):
                raise InputError(
                    f"{kind} cannot be named 'loss', because what it logs stands beside loss/discriminator; rename it"
                )
        self._generator = generator
        self._discriminator = discriminator
        self._networks = networks or {"generator": generator, "discriminator": discriminator}
        self._loss = loss
        self._regularizers: dict[str, Any] = dict(regularizers or {})
        self._augmentations: dict[str, Any] = dict(augmentations or {})
        self._is_relativistic = is_relativistic(loss)
        self._one_pass: bool | None = None  # found out with the first batch, which is that of the trial

    def update(self, network: str, noise: Noise, *, times: int = 1) -> Update:
        """Return the classic update of a network, on fakes of fresh noise; `attrs.evolve` changes one of its fields.

        Args:
            network: `"discriminator"` or `"generator"`, also the name of its optimizer.
            noise: the noise sampler.
            times: updates for each batch.
        """

        def draw(batch: Batch, random: torch.Generator) -> tuple[Any, ...]:
            return *self.due(network, batch), noise(len(batch), random)

        if network == "generator":
            return Update(network, self.of_generator, draw=draw, times=times)
        return Update(
            network, self.of_discriminator, draw=draw, times=times, after=self.constrain, observe=self.observe
        )

    def due(self, network: str, batch: Batch) -> tuple[tuple[str, ...], Tensor]:
        """Return which penalties of a network's loss are due in this step, and the step, `()` int64 on the device.

        What an update's `draw` has to pass on to its loss: both differ from step to step.
        """
        names = tuple(
            name
            for name, regularizer in self._regularizers.items()
            if hasattr(regularizer, network) and batch.step % getattr(regularizer, "every_steps", 1) == 0
        )
        return names, torch.full((), batch.step, dtype=torch.int64, device=batch.samples.device)

    def generate(self, batch: Batch, z: Tensor) -> Tensor:
        """Return fakes `(batch, *sample_shape)` float32 of `(batch, z_dim)` noise, and of labels if it takes them."""
        fakes: Tensor = call_network(self._generator, z, labels=batch.labels, **batch.more)
        return fakes

    def of_discriminator(
        self,
        batch: Batch,
        random: RowRandom,
        due: tuple[str, ...],
        step: Tensor,
        z: Tensor | None = None,
        fake: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what the discriminator minimises, a float32 scalar, and what else was computed, by name.

        Args:
            batch: real samples.
            random: what augmentations and penalties draw from.
            due: the penalties that are added.
            step: `()` int64.
            z: `(batch, z_dim)` float32, the noise of the fakes.
            fake: as many fakes, `(batch, *sample_shape)` float32; by default, they are made from z.
        """
        with torch.no_grad():
            fake = self.generate(batch, _given(z)) if fake is None else fake.detach()
        real, fake = (self._augment(samples, random) for samples in (batch.samples, fake))
        real_outputs, fake_outputs = self._discriminate_both(batch, real, fake, z)
        loss = self._loss.discriminator(real_outputs["logits"], fake_outputs["logits"])
        context = self._context(batch, random, step, z, real, fake, real_outputs, fake_outputs)
        loss, seen = self._with_terms("discriminator", loss, due, context)
        if any(hasattr(augmentation, "observe") for augmentation in self._augmentations.values()):
            seen["real_logits"] = real_outputs["logits"].detach()
        return loss, seen

    def of_generator(
        self,
        batch: Batch,
        random: RowRandom,
        due: tuple[str, ...],
        step: Tensor,
        z: Tensor | None = None,
        fake: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what the generator minimises and the terms of penalties, float32 scalars; arguments are as above."""
        fake = self._augment(self.generate(batch, _given(z)) if fake is None else fake, random)
        fake_outputs = self._discriminate(batch, fake, z)
        real, real_outputs, reals = batch.samples, None, {}
        if self._is_relativistic:
            with torch.no_grad():
                real = self._augment(real, random)
                real_outputs = self._discriminate(batch, real, z)
            reals = {"real_logits": real_outputs["logits"]}
        loss = self._loss.generator(fake_outputs["logits"], **reals)
        context = self._context(batch, random, step, z, real, fake, real_outputs, fake_outputs)
        return self._with_terms("generator", loss, due, context)

    def observe(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Let adaptive augmentations observe the `(batch, 1, ...)` logits of real samples.

        Returns:
            The statistics to log, float32 scalars by name.
        """
        statistics = {name: value for name, value in seen.items() if name != "real_logits"}
        for name, augmentation in self._augmentations.items():
            if hasattr(augmentation, "observe") and "real_logits" in seen:
                observed = augmentation.observe(seen["real_logits"]) or {}
                statistics |= {f"{name}/{key}": value for key, value in observed.items()}
        return statistics

    def constrain(self) -> None:
        """Let regularizers limit the discriminator's weights; to be called after each of its updates."""
        for regularizer in self._regularizers.values():
            if hasattr(regularizer, "constrain"):
                with torch.no_grad():
                    regularizer.constrain(self._discriminator)

    def _augment(self, samples: Tensor, random: RowRandom) -> Tensor:
        for augmentation in self._augmentations.values():
            samples = augmentation(samples, random)
        return samples

    def _discriminate(self, batch: Batch, samples: Tensor, z: Tensor | None) -> Outputs:
        return outputs_of(call_network(self._discriminator, samples, z=z, labels=batch.labels, **batch.more))

    def _discriminate_both(self, batch: Batch, real: Tensor, fake: Tensor, z: Tensor | None) -> tuple[Outputs, Outputs]:
        """Return the outputs for both, from one pass where that gives the same."""
        named = {"z": z, "labels": batch.labels, **batch.more}
        if self._one_pass is None:
            self._one_pass = treats_rows_independently(self._discriminator, real, **named)
        if not self._one_pass:
            return self._discriminate(batch, real, z), self._discriminate(batch, fake, z)
        twice = {name: torch.cat([value, value]) for name, value in named.items() if value is not None}
        both = outputs_of(call_network(self._discriminator, torch.cat([real, fake]), **twice))
        real_outputs, fake_outputs = ({name: value[rows] for name, value in both.items()} for rows in _halves(real))
        return real_outputs, fake_outputs

    def _context(
        self,
        batch: Batch,
        random: RowRandom,
        step: Tensor,
        z: Tensor | None,
        real: Tensor,
        fake: Tensor,
        real_outputs: Outputs | None,
        fake_outputs: Outputs,
    ) -> UpdateContext:
        return UpdateContext(
            real=real,
            fake=fake,
            real_outputs=real_outputs,
            fake_outputs=fake_outputs,
            z=z,
            labels=batch.labels,
            discriminate=lambda samples: self._discriminate(batch, samples, z)["logits"],
            generate=lambda noise: self.generate(batch, noise),
            networks=self._networks,
            random=random,
            step=step,
            total_steps=batch.total_steps,
        )

    def _with_terms(
        self, network: str, loss: Tensor, due: tuple[str, ...], context: UpdateContext
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Add the terms that are due, each as often as it was left out; return the terms as well."""
        terms = {}
        for name in due:
            regularizer = self._regularizers[name]
            term = getattr(regularizer, network)(context)
            loss = loss + term * getattr(regularizer, "every_steps", 1)
            terms[f"{name}/{network}"] = term.detach()
        return loss, terms


def is_relativistic(loss: Loss) -> bool:
    """Whether the generator's loss compares fakes with real samples: whether it has a parameter `real_logits`."""
    return "real_logits" in inspect.signature(loss.generator).parameters


def _given(z: Tensor | None) -> Tensor:
    assert z is not None, "a loss needs noise, or fakes"
    return z


def _halves(real: Tensor) -> tuple[slice, slice]:
    return slice(0, len(real)), slice(len(real), 2 * len(real))
