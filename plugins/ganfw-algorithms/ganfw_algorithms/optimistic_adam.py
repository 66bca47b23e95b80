"""Optimistic Adam: each step is doubled, and the one before is taken back once."""

import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import torch
from annotated_types import Ge, Lt
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

LearningRate = Annotated[float, Ge(0), "learning rate"]
Betas = Annotated[
    tuple[Annotated[float, Ge(0), Lt(1)], Annotated[float, Ge(0), Lt(1)]],
    "decay rates of the running means of the gradient and its square",
]
Epsilon = Annotated[float, Ge(0), "added to the denominator"]


class OptimisticAdam(Optimizer):
    """Adam with optimism: θ_t = θ_{t-1} - 2 lr · p_t + lr · p_{t-1}, with Adam's direction p_t, and p_0 = 0.

    p_t = (m_t / (1 - β1^t)) / (√(v_t / (1 - β2^t)) + eps), where m and v are the running means of the gradient and of
    its square. Where two players circle around an equilibrium, the difference of two directions points inwards.

    Source: Daskalakis et al., "Training GANs with Optimism", 2018, algorithm 1.
    """

    def __init__(
        self,
        parameters: Sequence[Parameter],
        /,
        *,
        lr: LearningRate = 1e-4,
        betas: Betas = (0.5, 0.9),
        eps: Epsilon = 1e-8,
    ) -> None:
        super().__init__(list(parameters), {"lr": lr, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update the parameters that have a gradient; return what the closure returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if weights:
                self._move(weights, [self._state_of(weight) for weight in weights], **group)
        return loss

    def _state_of(self, weight: Tensor) -> dict[str, Any]:
        state: dict[str, Any] = self.state[weight]
        if not state:
            state["step"] = 0
            state.update({name: torch.zeros_like(weight) for name in ("exp_avg", "exp_avg_sq", "direction")})
        state["step"] += 1
        return state

    @staticmethod
    def _move(
        weights: list[Tensor],
        states: list[dict[str, Any]],
        *,
        lr: float,
        betas: tuple[float, float],
        eps: float,
        **_others: Any,
    ) -> None:
        """Change weights of one group, all in one kernel for each operation."""
        first, second = betas
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        means, squares, before = ([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq", "direction"))
        torch._foreach_lerp_(means, gradients, 1 - first)
        torch._foreach_mul_(squares, second)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - second)
        sizes = torch._foreach_sqrt(squares)
        torch._foreach_div_(sizes, [math.sqrt(1 - second ** state["step"]) for state in states])
        torch._foreach_add_(sizes, eps)
        directions = torch._foreach_div(means, sizes)
        torch._foreach_div_(directions, [1 - first ** state["step"] for state in states])
        torch._foreach_add_(weights, directions, alpha=-2 * lr)
        torch._foreach_add_(weights, before, alpha=lr)
        torch._foreach_copy_(before, directions)
