"""Whether training is still sane."""

import contextlib
from typing import Annotated, Any

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from ganfw import Callback, InputError, Training, TrainingError

LOSS_LIMIT = 1e-3
"""A loss between 0 and this means that the discriminator separates all samples, unless it is a critic's score."""

CURE = "--set loss.use=relativistic --set regularizers.r1.use=r1 --set regularizers.r2.use=r2"
"""What is offered against collapse: the loss and the penalties of the recipes that cover 1,000 modes."""
SIDE = 7
_DIVERSE = 3
"""How many times the least diversity a generator must have had for less to be a collapse at any time."""


class Health(Callback):
    """Stops training on a value that is not finite, and warns of collapse and of a dead discriminator.

    It looks when a window ends: at the losses, at every gradient and weight, and at how different samples of a fixed
    noise are. Two distances are compared with those of real samples: the mean over all pairs, which is small where all
    samples are alike, and the median distance to the nearest other sample, which is small too where there are a few
    kinds of them. The smaller of both shares is the diversity.

    A loss of the discriminator near 0 says that it separates all samples. A critic's score may be near 0 at any time;
    it is known by having been negative.

    A young generator makes much the same of any noise, and most learn to do better. So a low diversity is a collapse
    if it was higher before, or after `grace_steps`. Warnings go to the terminal and to the line of `metrics.jsonl`.

    Source: that samples which are nearly equal show how few kinds there are: Arora et al., "Do GANs learn the
    distribution? Some theory and empirics", 2018.
    """

    def __init__(
        self,
        seed: int,
        /,
        *,
        count: Annotated[int, Ge(2), "samples that are compared with each other"] = 64,
        min_diversity: Annotated[float, Ge(0), "warn below this share of the distances of real samples"] = 0.07,
        grace_steps: Annotated[int, Ge(0), "steps in which a generator may learn to be diverse"] = 400,
    ) -> None:
        self.seed = seed
        self.count = count
        self.min_diversity = min_diversity
        self.grace_steps = grace_steps
        self.was_diverse = False
        self.is_critic = False
        self._real_distances = (0.0, 0.0)
        self._warned: set[str] = set()

    def on_start(self, training: Training) -> None:
        """Measure the real samples."""
        self._real_distances = distances(training.experiment.batches.first(self.count).samples)

    def on_log(self, training: Training) -> None:
        """Look at everything.

        Raises:
            TrainingError: a value is not finite.
        """
        for name, value in training.means.items():
            if not torch.isfinite(torch.tensor(value)):
                raise TrainingError(f"{name} is {value} in the window that ends at step {training.step}")
        for name, network in training.experiment.networks.items():
            _require_finite(name, network, training.step)
        self._warn(training, "dead_discriminator", self._dead_discriminator(training))
        with contextlib.suppress(InputError):  # an experiment that makes no samples
            self._warn(training, "collapse", self._collapse(training))

    def _dead_discriminator(self, training: Training) -> str:
        loss = training.means.get("loss/discriminator", 1.0)
        self.is_critic = self.is_critic or loss < 0
        if self.is_critic or loss >= LOSS_LIMIT:
            return ""
        return f"the discriminator's loss is {loss:.2g}: the generator learns next to nothing from it"

    def _collapse(self, training: Training) -> str:
        experiment = training.experiment
        inputs = experiment.batches.first(self.count)
        found = distances(experiment.source.sample(self.count, seed=self.seed, inputs=inputs))
        diversity = min(ours / real if real else 1.0 for ours, real in zip(found, self._real_distances, strict=True))
        self.was_diverse = self.was_diverse or diversity >= _DIVERSE * self.min_diversity
        may_learn = training.step < self.grace_steps and not self.was_diverse
        if diversity >= self.min_diversity or may_learn:
            return ""
        return (
            f"samples are nearly the same, or of a few kinds: their distances are {diversity:.1%} of those of real "
            f"samples. If it stays so, begin anew with {CURE}"
        )

    def state_dict(self) -> dict[str, Any]:
        """Return whether samples have been diverse, and whether the discriminator's loss can be negative."""
        return {"was_diverse": self.was_diverse, "is_critic": self.is_critic}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take that back; a checkpoint of ganfw 0.2 does not have it."""
        self.was_diverse = bool(state.get("was_diverse", False))
        self.is_critic = bool(state.get("is_critic", False))

    def _warn(self, training: Training, name: str, text: str) -> None:
        """Put a warning into the window's line, and say it when it is new."""
        if text:
            training.warnings.append(name)
            if name not in self._warned:
                training.say(f"warning at step {training.step}: {text}")
                self._warned.add(name)
        else:
            self._warned.discard(name)


def distances(samples: Tensor) -> tuple[float, float]:
    """Return the mean distance of two of `(n, *sample_shape)`, and the median distance of one to the nearest other.

    Images are averaged to at most 7 x 7, so that pixels that flicker around one and the same picture count for little.
    """
    if samples.ndim == 4:
        height, width = samples.shape[2:]
        samples = adaptive_avg_pool2d(samples, (min(SIDE, height), min(SIDE, width)))
    rows = samples.flatten(1).cpu()
    to_others = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist").fill_diagonal_(torch.inf)
    return float(torch.pdist(rows).mean()), float(to_others.amin(1).median())


def _require_finite(owner: str, network: nn.Module, step: int) -> None:
    """Look at all weights and gradients of a network, reading from the device once."""
    tensors = {f"weight '{name}'": weight.detach() for name, weight in network.named_parameters()}
    tensors |= {
        f"gradient of '{name}'": weight.grad for name, weight in network.named_parameters() if weight.grad is not None
    }
    tensors |= {f"buffer '{name}'": value for name, value in network.named_buffers() if value.is_floating_point()}
    finite = torch.stack([torch.isfinite(tensor).all() for tensor in tensors.values()]).tolist() if tensors else []
    for name, is_finite in zip(tensors, finite, strict=True):
        if not is_finite:
            raise TrainingError(f"{name} of the {owner} is not finite at step {step}")
