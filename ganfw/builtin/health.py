"""Whether training is still sane."""

import contextlib
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from ganfw import Callback, InputError, Training, TrainingError

LOSS_LIMIT = 1e-3
"""A loss nearer to 0 means that the discriminator separates all samples (cross-entropy), or none (a critic's score)."""

CURE = "--set loss.use=relativistic --set regularizers.r1.use=r1 --set regularizers.r2.use=r2"
"""What is offered against collapse: the loss and the penalties of the recipes that cover 1,000 modes."""
SIDE = 7


class Health(Callback):
    """Stops training on a value that is not finite, and warns of collapse and of a dead discriminator.

    It looks when a window ends: at the losses, at every gradient and weight, and at how far samples of a fixed noise
    are from each other, against real samples. Warnings go to the terminal and to the line of `metrics.jsonl`.
    """

    def __init__(
        self,
        seed: int,
        /,
        *,
        count: Annotated[int, Ge(2), "samples that are compared with each other"] = 64,
        min_diversity: Annotated[float, Ge(0), "warn below this share of the mean distance of real samples"] = 0.07,
    ) -> None:
        self.seed = seed
        self.count = count
        self.min_diversity = min_diversity
        self._real_distance = 0.0
        self._warned: set[str] = set()

    def on_start(self, training: Training) -> None:
        """Measure the real samples."""
        self._real_distance = _mean_distance(training.experiment.batches.first(self.count).samples)

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
        if abs(loss) >= LOSS_LIMIT:
            return ""
        return f"the discriminator's loss is {loss:.2g}: the generator learns next to nothing from it"

    def _collapse(self, training: Training) -> str:
        experiment = training.experiment
        inputs = experiment.batches.first(self.count)
        distance = _mean_distance(experiment.source.sample(self.count, seed=self.seed, inputs=inputs))
        if not distance < self.min_diversity * self._real_distance:
            return ""
        return (
            f"samples of different noise are nearly the same: their mean distance is "
            f"{distance / self._real_distance:.1%} of the real samples'. If it stays so, begin anew with {CURE}"
        )

    def _warn(self, training: Training, name: str, text: str) -> None:
        """Put a warning into the window's line, and say it when it is new."""
        if text:
            training.warnings.append(name)
            if name not in self._warned:
                training.say(f"warning at step {training.step}: {text}")
                self._warned.add(name)
        else:
            self._warned.discard(name)


def _mean_distance(samples: Tensor) -> float:
    """Return the mean distance of two of `(n, *sample_shape)`, images averaged to at most 7 x 7.

    So pixels that flicker around one and the same picture count for little.
    """
    if samples.ndim == 4:
        height, width = samples.shape[2:]
        samples = adaptive_avg_pool2d(samples, (min(SIDE, height), min(SIDE, width)))
    return float(torch.pdist(samples.flatten(1).cpu()).mean())


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
