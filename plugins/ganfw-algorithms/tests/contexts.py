"""What an update has seen, written by hand: for tests of penalties."""

from typing import Any

import torch
from torch import Tensor, nn

from ganfw import RowRandom, UpdateContext


def context(seed: int = 0, **seen: Any) -> UpdateContext:
    """Return a context with four rows, in which both networks are the identity unless they are given.

    Args:
        seed: what `random` draws from.
        seen: attributes that the test is about.
    """

    def identity(samples: Tensor) -> Tensor:
        return samples

    rows = torch.zeros(4, 1)
    networks: dict[str, nn.Module] = {}
    defaults: dict[str, Any] = {
        "real": rows,
        "fake": rows,
        "real_outputs": {"logits": rows},
        "fake_outputs": {"logits": rows},
        "discriminate": identity,
        "generate": identity,
        "networks": networks,
        "random": RowRandom(torch.Generator().manual_seed(seed), len(rows)),
    }
    return UpdateContext(**(defaults | seen))
