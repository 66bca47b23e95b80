"""The mapping of a style-based generator: from noise to w, and the running mean of w."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from ganfw_conv.layers.equalised import EqualisedLinear, activate
from ganfw_conv.layers.pixel_norm import of_size_1

MAPPING_RATE = 0.01
"""How fast the mapping learns, by the other layers (Karras et al., 2019, appendix C)."""
MEMORY = 0.998
"""What a batch leaves of the running mean of w, once many have been seen."""


class StyleMapping(nn.Module):
    """Makes w of noise, and of a class where there are several, by linear layers with leaky ReLU.

    Attributes:
        mean: `(num_classes, w_dim)` float32, the running mean of w, for each class: of all that training has seen so
            far, then an exponential one with a decay of 0.998 for each batch that has the class.
        seen: `(num_classes,)` int64, how many batches with a class training has seen.
    """

    mean: Tensor
    seen: Tensor

    def __init__(self, z_dim: int, num_classes: int, w_dim: int, layers: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_classes, z_dim) if num_classes > 1 else None
        widths = [z_dim * (1 if self.embedding is None else 2), *[w_dim] * layers]
        self.layers = nn.ModuleList(
            EqualisedLinear(inputs, outputs, rate=MAPPING_RATE) for inputs, outputs in pairwise(widths)
        )
        self.register_buffer("mean", torch.zeros(num_classes, w_dim))
        self.register_buffer("seen", torch.zeros(num_classes, dtype=torch.int64))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return `(n, w_dim)` float32 for `(n, z_dim)` float32 and, of several classes, `(n,)` int64."""
        x = of_size_1(z)
        if self.embedding is not None:
            x = torch.cat([x, of_size_1(self.embedding(labels))], dim=1)
        for layer in self.layers:
            x = activate(layer(x))
        w: Tensor = x.float()
        return w

    @torch.no_grad()
    def note(self, w: Tensor, labels: Tensor | None) -> None:
        """Take `(n, w_dim)` vectors, of `(n,)` classes or of the only one, into the running mean."""
        classes = torch.arange(len(self.mean), device=w.device)
        rows = labels if labels is not None else torch.zeros(len(w), dtype=torch.int64, device=w.device)
        belongs = (rows == classes[:, None]).float()  # (num_classes, n)
        counts = belongs.sum(1)
        means = (belongs[:, :, None] * w).sum(1) / counts.clamp(min=1)[:, None]
        self.seen.add_((counts > 0).long())
        share = torch.clamp(1 / self.seen.clamp(min=1), min=1 - MEMORY) * (counts > 0)
        self.mean.add_(share[:, None] * (means - self.mean))

    def truncate(self, w: Tensor, psi: float, labels: Tensor | None = None) -> Tensor:
        """Return `(n, w_dim)`, mean + psi (w - mean), with the mean of each row's class.

        Source: Karras et al., 2019, appendix B.
        """
        mean = self.mean if labels is None else self.mean[labels]
        return mean + psi * (w - mean)
