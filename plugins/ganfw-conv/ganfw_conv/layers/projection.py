"""The last layer of a discriminator, for features alone or for features of a class."""

import torch
from torch import Tensor, nn

from ganfw_conv.layers.spectral import normalised


class ProjectionHead(nn.Module):
    """Gives the logit `linear(h) + <embedding(y), h>` for features h of class y.

    Source: Miyato and Koyama, "cGANs with Projection Discriminator", 2018, equation 3 and figure 1d.
    """

    def __init__(self, features: int, num_classes: int, spectral: bool) -> None:
        super().__init__()
        self.linear = normalised(nn.Linear(features, 1), spectral)
        embedding = nn.Embedding(num_classes, features)
        nn.init.normal_(embedding.weight, std=features**-0.5)  # the logit's two terms then start alike
        self.embedding = normalised(embedding, spectral)

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return `(n, 1)` logits for `(n, features)` float32 and `(n,)` int64."""
        of_class: Tensor = self.embedding(labels)
        logits: Tensor = self.linear(features)
        return logits + torch.sum(of_class * features, dim=1, keepdim=True)
