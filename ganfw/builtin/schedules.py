"""Learning rates during training: functions of the step and the number of steps, without state."""

import math
from typing import Annotated

from annotated_types import Ge, Le

WarmUp = Annotated[int, Ge(0), "steps in which the rate rises from 0"]
FinalFactor = Annotated[float, Ge(0), "share of the optimizer's rate that the end of the run, or of a cycle, comes to"]


class Linear:
    """Rises in the warm-up, stays, and falls on a line from `start` on.

    With s the step, S the number of steps, W the warm-up and s₀ = start · S, the factor is the product of
    min(1, (s + 1) / W) and, from s₀ on, 1 - (1 - final_factor) (s - s₀) / (S - s₀).
    """

    def __init__(
        self,
        *,
        warmup_steps: WarmUp = 0,
        start: Annotated[float, Ge(0), Le(1), "share of the run after which the rate begins to fall"] = 0.5,
        final_factor: FinalFactor = 0.0,
    ) -> None:
        self.warmup_steps = warmup_steps
        self.start = start
        self.final_factor = final_factor

    def __call__(self, step: int, total_steps: int) -> float:
        """Return the factor of the learning rate in step `step`, 0 <= step < total_steps."""
        first = self.start * total_steps
        fallen = (step - first) / (total_steps - first) if step > first else 0.0
        return _warm_up(step, self.warmup_steps) * (1 - (1 - self.final_factor) * fallen)


class Cosine:
    """Rises in the warm-up, then falls along half a wave of the cosine, in each of several cycles anew.

    With s the step, S the number of steps, W the warm-up and C the cycles, the factor is (s + 1) / W before step W.
    After it, final_factor + (1 - final_factor) (1 + cos(π p)) / 2, where p is the fraction of C (s - W) / (S - W): each
    cycle is as long as the others and begins with the optimizer's rate.

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017, equation 5; there a
    cycle may be longer than the one before.
    """

    def __init__(
        self,
        *,
        warmup_steps: WarmUp = 0,
        final_factor: FinalFactor = 0.0,
        cycles: Annotated[int, Ge(1), "how often the rate falls, each time from where it began"] = 1,
    ) -> None:
        self.warmup_steps = warmup_steps
        self.final_factor = final_factor
        self.cycles = cycles

    def __call__(self, step: int, total_steps: int) -> float:
        """Return the factor of the learning rate in step `step`, 0 <= step < total_steps."""
        if step < self.warmup_steps:
            return _warm_up(step, self.warmup_steps)
        steps = total_steps - self.warmup_steps
        progress = self.cycles * (step - self.warmup_steps) % steps / steps
        return self.final_factor + (1 - self.final_factor) * (1 + math.cos(math.pi * progress)) / 2


def _warm_up(step: int, warmup_steps: int) -> float:
    """Return 1/W, 2/W, ..., 1, and then 1."""
    return min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0
