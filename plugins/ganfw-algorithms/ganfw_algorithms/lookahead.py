"""Lookahead: after some steps of Adam the weights go a part of the way back."""

from collections.abc import Callable, Sequence
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le
from torch.nn import Parameter
from torch.optim import Adam

from ganfw_algorithms.optimistic_adam import Betas, Epsilon, LearningRate


class Lookahead(Adam):
    """Adam that goes a part of the way back after every `inner_steps` steps: slow += pull · (fast - slow); fast = slow.

    The fast weights are those of the network. The slow weights are where they were after the last such step, at first
    where they began. Adam's own means are not reset.

    Source: Zhang et al., "Lookahead Optimizer: k steps forward, 1 step back", 2019, where inner_steps is called k and
    pull is called α; for GANs Chavdarova et al., "Taming GANs with Lookahead-Minmax", 2021. There both networks go back
    after both have made their k-th step. Here each goes back after its own, so the last of the generator's k steps
    meets a discriminator that has gone back already.
    """

    def __init__(
        self,
        parameters: Sequence[Parameter],
        /,
        *,
        lr: LearningRate = 1e-4,
        betas: Betas = (0.5, 0.9),
        eps: Epsilon = 1e-8,
        inner_steps: Annotated[int, Ge(1), "steps of Adam between two steps of the slow weights"] = 5,
        pull: Annotated[float, Gt(0), Le(1), "how far the slow weights go towards the fast ones; 1 for Adam"] = 0.5,
    ) -> None:
        # A fused kernel would refuse state that is not Adam's.
        super().__init__(list(parameters), lr=lr, betas=betas, eps=eps, fused=False)
        for group in self.param_groups:
            group.update(inner_steps=inner_steps, pull=pull)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make a step of Adam, and go back if it is time; return what the closure returns."""
        weights = [weight for group in self.param_groups for weight in group["params"]]
        begun = {weight: weight.clone() for weight in weights if weight not in self.state}
        loss: float | None = super().step(closure)
        for weight, slow in begun.items():
            if weight in self.state:
                self.state[weight]["slow"] = slow
        for group in self.param_groups:
            moved = [weight for weight in group["params"] if weight.grad is not None]
            due = [weight for weight in moved if int(self.state[weight]["step"]) % group["inner_steps"] == 0]
            if due:
                slow = [self.state[weight]["slow"] for weight in due]
                torch._foreach_lerp_(slow, due, group["pull"])
                torch._foreach_copy_(due, slow)
        return loss
