"""LeCam: logits are held near the running mean of the other side's."""

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from annotated_types import Ge, Lt
from torch import Tensor

from ganfw import UpdateContext


class LeCam:
    """Adds weight · (E[(D(x) - α_F)²] + E[(D(G(z)) - α_R)²]) to the discriminator's loss.

    α_R and α_F are exponential running means of the mean logits of real samples and of fakes, the current batch
    included, divided by the sum of their weights. No gradient flows through them. The term limits how far apart logits
    get, which few training samples would otherwise allow.

    Source: Tseng et al., "Regularizing Generative Adversarial Networks under Limited Data", 2021. The code of the
    authors leaves out real samples below α_F and fakes above α_R. This is the formula of the paper, which has them all.

    The running means are of the rows of one process, so the run must be trained in one.
    """

    def __init__(
        self,
        device: torch.device,
        /,
        *,
        weight: Annotated[float, Ge(0), "weight of the squared distances"] = 0.3,
        decay: Annotated[float, Ge(0), Lt(1), "decay rate of the running means"] = 0.99,
    ) -> None:
        self.weight = weight
        self.decay = decay
        self.sums = torch.zeros(3, device=device)
        """Decayed sums of the mean logits of real samples, of those of fakes, and of 1."""

    def discriminator(self, context: UpdateContext) -> Tensor:
        """Move the running means, and return the term, a scalar."""
        real, fake = context.real_logits, context.fake_logits
        assert real is not None
        new = torch.stack([real.mean(), fake.mean(), torch.ones_like(self.sums[2])]).detach()
        self.sums = torch.lerp(self.sums, new, 1 - self.decay)
        of_real, of_fake = self.sums[0] / self.sums[2], self.sums[1] / self.sums[2]
        return self.weight * ((real - of_fake).square().mean() + (fake - of_real).square().mean())

    def state_dict(self) -> dict[str, Any]:
        """Return the running means."""
        return {"sums": self.sums}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self.sums = state["sums"].to(self.sums.device, copy=True)
