"""Progressive growing: the classic step on images that grow while it trains."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import torch
from annotated_types import Ge, Le
from attrs import evolve
from torch import Tensor, nn

from ganfw import Augmentation, Batch, InputError, Loss, Noise, Objective, Regularizer, RowRandom, Update
from ganfw_conv.progressive.networks import ProgressiveDiscriminator, ProgressiveGenerator


class ProgressiveGrowing:
    """Updates the discriminator, then the generator, once for each batch, at the stage that the step belongs to.

    In the first `growing` of a run all sizes of images but the last have equally many steps. In the last `fade_share`
    of the steps of a size the next one is faded in. Then images have the full size; with `growing = 0` they have it
    from the start. Real images are averaged down to the size, and mixed in a fade, as fakes are. The stage is a
    function of the step and the number of steps (`stage_of`), and is logged as `progressive/stage`.

    Source: Karras et al., "Progressive Growing of GANs", 2018, section 2 and figure 2.

    Raises:
        InputError: the networks do not grow, or not through the same sizes.
    """

    def __init__(
        self,
        generator: ProgressiveGenerator,
        discriminator: ProgressiveDiscriminator,
        loss: Loss,
        noise: Noise,
        regularizers: Mapping[str, Regularizer] | None = None,
        augmentations: Mapping[str, Augmentation] | None = None,
        networks: Mapping[str, nn.Module] | None = None,
        /,
        *,
        growing: Annotated[float, Ge(0), Le(1), "share of the run until the full size is reached"] = 0.5,
        fade_share: Annotated[float, Ge(0), Le(1), "share of the steps of a size in which the next is faded in"] = 0.5,
    ) -> None:
        self.last_stage: int = getattr(generator, "last_stage", 0)
        if not self.last_stage or self.last_stage != getattr(discriminator, "last_stage", 0):
            raise InputError("both networks must grow through the same sizes; use 'progressive' for both")
        self.generator, self.discriminator, self.noise = generator, discriminator, noise
        self.growing, self.fade_share = growing, fade_share
        self.objective = Objective(generator, discriminator, loss, regularizers, augmentations, networks)

    def stage(self, batch: Batch) -> float:
        """Return how far the networks have grown in the step of a batch."""
        return stage_of(batch.step, batch.total_steps, self.last_stage, self.growing, self.fade_share)

    def updates(self) -> Sequence[Update]:
        """Return the discriminator's update, then the generator's."""
        discriminator, generator = (self.objective.update(name, self.noise) for name in ("discriminator", "generator"))
        return [
            evolve(discriminator, loss=self.of_discriminator, draw=partial(self._draw, "discriminator")),
            evolve(generator, loss=self.of_generator, draw=partial(self._draw, "generator")),
        ]

    def drive(self, batch: Batch, random: torch.Generator, apply: Callable[..., None]) -> None:
        """Let the networks grow, and make the updates with real samples as they are at this stage."""
        self.generator.grow(self.stage(batch))
        self.discriminator.grow(self.stage(batch))
        batch = evolve(batch, samples=self.discriminator.at_stage(batch.samples))
        for update in self.updates():
            apply(update, batch, random)

    def of_discriminator(
        self, batch: Batch, random: RowRandom, _graph: tuple[int, bool], stage: Tensor, *drawn: Any
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the discriminator's loss, and what is logged."""
        loss, seen = self.objective.of_discriminator(batch, random, *drawn)
        return loss, {**seen, "progressive/stage": stage}

    def of_generator(
        self, batch: Batch, random: RowRandom, _graph: tuple[int, bool], _stage: Tensor, *drawn: Any
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the generator's loss, and what is logged."""
        return self.objective.of_generator(batch, random, *drawn)

    def _draw(self, network: str, batch: Batch, random: torch.Generator) -> tuple[Any, ...]:
        """Draw noise; before it, what is computed at this stage: a constant, for which a loss is compiled apart."""
        stage = self.stage(batch)
        graph, logged = (math.ceil(stage), not stage.is_integer()), torch.full((), stage, device=batch.samples.device)
        return graph, logged, *self.objective.due(network, batch), self.noise(len(batch), random)


def stage_of(step: int, total_steps: int, last_stage: int, growing: float, fade_share: float) -> float:
    """Return the stage of a step, from 0 to `last_stage`, to six decimals, as it is in the middle of the step.

    With S stages after the first, the first `growing` of the run is cut into S parts of one length. In part k the stage
    is k at first. In the last `fade_share` of it, it rises to k + 1 on a line. From then on it is S.

    Args:
        step: how many steps came before.
        total_steps: of the run; 0 where that is not known, and then each part has two steps.
        last_stage: S.
        growing: in [0, 1].
        fade_share: in [0, 1].
    """
    length = growing * total_steps / last_stage if total_steps else 2 * math.ceil(growing)
    passed = (step + 0.5) / length if length else last_stage
    if passed >= last_stage:
        return float(last_stage)
    into_fade = passed % 1 - (1 - fade_share)
    return round(int(passed) + (into_fade / fade_share if into_fade > 0 else 0.0), 6)
