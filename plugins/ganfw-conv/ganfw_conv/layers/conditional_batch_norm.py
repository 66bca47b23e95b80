"""BatchNorm whose scale and shift depend on the class."""

from torch import Tensor, nn


class ConditionalBatchNorm2d(nn.Module):
    """Normalises over the batch, then scales and shifts each channel by values of the row's class.

    Source: de Vries et al., "Modulating early visual processing by language", 2017, section 3; for generators
    Miyato and Koyama, "cGANs with Projection Discriminator", 2018, section 5. All classes start with scale 1, shift 0.
    """

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.normalise = nn.BatchNorm2d(channels, affine=False)
        self.scale = nn.Embedding(num_classes, channels)
        self.shift = nn.Embedding(num_classes, channels)
        nn.init.ones_(self.scale.weight)
        nn.init.zeros_(self.shift.weight)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """Return `(n, channels, height, width)` like x, given `(n,)` int64."""
        scale, shift = self.scale(labels)[:, :, None, None], self.shift(labels)[:, :, None, None]
        y: Tensor = self.normalise(x) * scale + shift
        return y
