"""What each network minimises: the loss of what the discriminator says, and the terms of regularizers."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ganfw.data import Batch
from ganfw.engine.networks import call_with_labels, treats_rows_alone
from ganfw.errors import InputError
from ganfw.protocols import Augmentation, Loss, Regularizer, UpdateContext


class Objective:
    """Computes the losses of both networks, for any step part to differentiate.

    Attributes:
        statistics: the terms of regularizers in the last passes, 0 where a lazy one was left out, and what adaptive
            augmentations tell: detached scalars on the device, by name.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: Loss,
        regularizers: Mapping[str, Regularizer] | None = None,
        augmentations: Mapping[str, Augmentation] | None = None,
    ) -> None:
        """Put an objective together.

        Args:
            generator: `(n, z_dim)` to `(n, *sample_shape)`.
            discriminator: `(n, *sample_shape)` to logits `(n, 1)`.
            loss: scalars from logits.
            regularizers: further terms, by name.
            augmentations: what happens to samples before the discriminator sees them, in order.

        Raises:
            InputError: a regularizer or an augmentation has the name of the losses.
        """
        for kind, named in (("a regularizer", regularizers), ("an augmentation", augmentations)):
            if "loss" in (named or {}):
                raise InputError(f"{kind} cannot be named 'loss', for what it tells stands beside loss/discriminator")
        self.statistics: dict[str, Tensor] = {}
        self._generator = generator
        self._discriminator = discriminator
        self._loss = loss
        self._regularizers: dict[str, Any] = dict(regularizers or {})
        self._augmentations = dict(augmentations or {})
        self._is_relativistic = is_relativistic(loss)
        self._one_pass: bool | None = None  # not known before the first batch

    def look_at(self, batch: Batch) -> None:
        """Find out about the discriminator what can be found out once, if it is not known.

        `of_discriminator` does so itself; call it before where that is compiled.
        """
        if self._one_pass is None:
            self._one_pass = treats_rows_alone(self._discriminator, batch.samples, batch.labels)

    def of_discriminator(self, batch: Batch, fake: Tensor, random: torch.Generator) -> Tensor:
        """Return what the discriminator minimises, a scalar.

        Args:
            batch: real samples.
            fake: as many fakes, without gradient.
            random: what augmentations and regularizers draw from.
        """
        self.look_at(batch)
        real, fake = (self._augment(samples, batch, random) for samples in (batch.samples, fake))
        real_logits, fake_logits = self._judge_both(real, fake, batch.labels)
        for name, augmentation in self._augmentations.items():
            if hasattr(augmentation, "observe"):
                told = augmentation.observe(real_logits.detach()) or {}
                self.statistics |= {f"{name}/{key}": value for key, value in told.items()}
        loss = self._loss.discriminator(real_logits, fake_logits)
        return self._with_terms("discriminator", loss, batch, random, real, fake, real_logits, fake_logits)

    def of_generator(self, batch: Batch, fake: Tensor, random: torch.Generator) -> Tensor:
        """Return what the generator minimises, a scalar.

        Args:
            batch: real samples, which a relativistic loss compares the fakes with.
            fake: as many fakes, with the generator's graph.
            random: what augmentations and regularizers draw from.
        """
        real, real_logits = batch.samples, None
        fake = self._augment(fake, batch, random)
        fake_logits = self._judge(fake, batch.labels)
        if self._is_relativistic:
            with torch.no_grad():
                real = self._augment(real, batch, random)
                real_logits = self._judge(real, batch.labels)
            loss = self._loss.generator(fake_logits=fake_logits, real_logits=real_logits)
        else:
            loss = self._loss.generator(fake_logits)
        return self._with_terms("generator", loss, batch, random, real, fake, real_logits, fake_logits)

    def constrain(self) -> None:
        """Let regularizers limit the discriminator's weights; to be called after each of its updates."""
        for regularizer in self._regularizers.values():
            if hasattr(regularizer, "constrain"):
                with torch.no_grad():
                    regularizer.constrain(self._discriminator)

    def compile_blocker(self, network: str) -> str:
        """Return why what one network minimises cannot be compiled; `""` if it is a loss alone.

        Args:
            network: `"discriminator"` or `"generator"`.
        """
        if self._augmentations:
            return "augmentations draw random numbers"
        terms = [name for name, regularizer in self._regularizers.items() if hasattr(regularizer, network)]
        return f"it has regularizers: {', '.join(terms)}" if terms else ""

    def state_dict(self) -> dict[str, Any]:
        """Return what was found out about the discriminator."""
        return {"one_pass": self._one_pass}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self._one_pass = state["one_pass"]

    def _augment(self, samples: Tensor, batch: Batch, random: torch.Generator) -> Tensor:
        for augmentation in self._augmentations.values():
            samples = augmentation(samples, batch.row_random(random))
        return samples

    def _judge(self, samples: Tensor, labels: Tensor | None) -> Tensor:
        return call_with_labels(self._discriminator, samples, labels)

    def _judge_both(self, real: Tensor, fake: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the logits of both, from one pass where that gives the same."""
        if not self._one_pass:
            return self._judge(real, labels), self._judge(fake, labels)
        both = None if labels is None else torch.cat([labels, labels])
        real_logits, fake_logits = self._judge(torch.cat([real, fake]), both).split(len(real))
        return real_logits, fake_logits

    def _with_terms(
        self,
        network: str,
        loss: Tensor,
        batch: Batch,
        random: torch.Generator,
        real: Tensor,
        fake: Tensor,
        real_logits: Tensor | None,
        fake_logits: Tensor,
    ) -> Tensor:
        """Return the loss of one network with the regularizers' terms added, and note each term."""
        for name, regularizer in self._regularizers.items():
            term_of = getattr(regularizer, network, None)
            if term_of is None:
                continue
            term = loss.new_zeros(())
            every_steps = getattr(regularizer, "every_steps", 1)
            if batch.step % every_steps == 0:
                context = UpdateContext(
                    real=real,
                    fake=fake,
                    real_logits=real_logits,
                    fake_logits=fake_logits,
                    labels=batch.labels,
                    discriminate=lambda samples: self._judge(samples, batch.labels),
                    generator=self._generator,
                    discriminator=self._discriminator,
                    random=batch.row_random(random),
                )
                term = term_of(context) * every_steps
                loss = loss + term
            self.statistics[f"{name}/{network}"] = term.detach()
        return loss


def is_relativistic(loss: Loss) -> bool:
    """Whether the generator's loss compares fakes with real samples: whether it has a parameter `real_logits`."""
    return "real_logits" in inspect.signature(loss.generator).parameters
