"""A mean of the generator's weights that follows its updates, whatever step part makes them."""

import contextlib
from collections.abc import Iterator

from torch.optim import Optimizer

from ganfw.protocols import Averaging


@contextlib.contextmanager
def averaged_weights(averaging: Averaging, optimizer: Optimizer) -> Iterator[None]:
    """Within the block, let the mean take in the generator's weights after each step of its optimizer."""
    handle = optimizer.register_step_post_hook(lambda *_: averaging.update())
    try:
        yield
    finally:
        handle.remove()
