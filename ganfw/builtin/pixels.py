"""The values of samples themselves as features: a baseline that knows nothing."""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor
from torch.nn import functional


class Pixels:
    """Images averaged to at most 14 x 14 and flattened, in [0, 1]; of other data, the values. No classes.

    At full size the features of large images would outnumber the samples, and the Fréchet distance needs more samples
    than features.
    """

    def __init__(self, *, side: Annotated[int, Ge(1), "images are averaged to this side at most"] = 14) -> None:
        self.side = side

    @property
    def identity(self) -> str:
        """What makes results comparable; this embedding has no weights."""
        return f"pixels side:{self.side}"

    def __call__(self, samples: Tensor) -> tuple[Tensor, None]:
        """Return features `(n, d)` float32 of `(n, channels, height, width)` uint8 or `(n, *sample_shape)` float32."""
        values = samples.to(torch.float32)
        if samples.ndim == 4:
            if samples.dtype == torch.uint8:
                values = values.div_(255)
            height, width = samples.shape[2:]
            values = functional.adaptive_avg_pool2d(values, (min(height, self.side), min(width, self.side)))
        return values.flatten(1), None
