"""Historical averaging: weights are drawn to the mean of where they have been."""

from collections.abc import Callable, Sequence
from typing import Annotated

import torch
from annotated_types import Ge
from torch.nn import Parameter
from torch.optim import Adam

from ganfw_algorithms.optimistic_adam import Betas, Epsilon, LearningRate


class HistoricalAveraging(Adam):
    """Adam on the loss plus `history_weight` · ‖θ - mean‖², where the mean is of θ before each step so far.

    The mean is over all steps alike, the present weights θ included, so the term is 0 in the first step. No gradient
    flows through it. The slope 2 · history_weight · (θ - mean) is added to the gradients, after they are clipped. The
    term is not part of the logged loss. The means are saved with the optimizer.

    Source: Salimans et al., "Improved Techniques for Training GANs", 2016, section 3.2.
    """

    def __init__(
        self,
        parameters: Sequence[Parameter],
        /,
        *,
        lr: LearningRate = 1e-4,
        betas: Betas = (0.5, 0.9),
        eps: Epsilon = 1e-8,
        history_weight: Annotated[float, Ge(0), "weight of the squared distance from the mean; 0 for Adam"] = 0.1,
    ) -> None:
        # A fused kernel would refuse state that is not Adam's.
        super().__init__(list(parameters), lr=lr, betas=betas, eps=eps, fused=False)
        for group in self.param_groups:
            group["history_weight"] = history_weight

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Move the means, add the slope of the term, and make a step of Adam; return what the closure returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        first = {}
        for group in self.param_groups:
            moved = [weight for weight in group["params"] if weight.grad is not None]
            first.update({weight: weight.clone() for weight in moved if weight not in self.state})
            known = [weight for weight in moved if weight in self.state]
            if known:
                self._draw_to_means(known, group["history_weight"])
        super().step()
        for weight, mean in first.items():  # Adam takes a weight that has state for one that it knows
            self.state[weight]["mean"] = mean
        return loss

    def _draw_to_means(self, weights: list[Parameter], history_weight: float) -> None:
        """Take the weights into their means, and add the slope of the term to their gradients."""
        means = [self.state[weight]["mean"] for weight in weights]
        distances = torch._foreach_sub(weights, means)  # type: ignore[arg-type]
        shares = [1 / (int(self.state[weight]["step"]) + 1) for weight in weights]
        torch._foreach_add_(means, torch._foreach_mul(distances, shares))
        left = [2 * history_weight * (1 - share) for share in shares]  # θ - mean has become so much shorter
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        torch._foreach_add_(gradients, torch._foreach_mul(distances, left))
