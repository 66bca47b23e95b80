"""How far a network has grown: which of its sizes it computes, and how far the largest of them is faded in."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from ganfw import InputError

WHOLE = 1 << 20
"""What a stage of 1 is saved as."""


class Growth(nn.Module):
    """The stage of a network whose images grow: 1.25 is the second size, with the third faded in by a quarter.

    The stage is saved with the network, so that samples of a checkpoint are those of its moment. It is an integer: a
    mean of weights copies integers, and so has the stage of the network that it is a mean of.

    The size is kept as a Python number besides, because a compiled graph is of one size, and so that nothing waits for
    the device. `set` and `load_state_dict` keep it right. In evaluation mode it is read from `stage`, which a mean of
    weights overwrites.

    Attributes:
        last: the last stage, that of the full size; a network starts there.
        stage: `()` int64, the stage times 2**20.
    """

    stage: Tensor

    def __init__(self, sizes: int) -> None:
        super().__init__()
        self.last = sizes - 1
        self.register_buffer("stage", torch.tensor(self.last * WHOLE))
        self._note(self.last * WHOLE)
        self.register_load_state_dict_post_hook(Growth._read)  # type: ignore[no-untyped-call]  # of torch

    def set(self, stage: float) -> None:
        """Set the stage.

        Raises:
            InputError: there is no such stage.
        """
        if not 0 <= stage <= self.last:
            raise InputError(f"there is no stage {stage:g}: they are from 0 to {self.last}")
        self.stage.fill_(round(stage * WHOLE))
        self._note(round(stage * WHOLE))

    def position(self) -> tuple[int, Tensor | None]:
        """Return the number of the largest size that is computed, and its share in the image, `()` float32.

        The share is None where the fade is over, so that nothing of the size below is seen.
        """
        if not self.training and not torch.compiler.is_compiling():
            self._read(self)
        return self._largest, self.stage.remainder(WHOLE) / WHOLE if self._fades else None

    def at_stage(self, images: Tensor) -> Tensor:
        """Return images as they look at this stage, `(n, channels, height, width)` of the full size again.

        Source: Karras et al., "Progressive Growing of GANs", 2018, figure 2.
        """
        largest, share = self.position()
        images = self.shrunk(images, largest)
        if share is not None:
            images = faded(doubled(halved(images)), images, share)
        return self.enlarged(images, largest)

    def shrunk(self, images: Tensor, size: int) -> Tensor:
        """Return images of the full size at one of the sizes: means over squares."""
        return images if size == self.last else avg_pool2d(images, 2 ** (self.last - size))

    def enlarged(self, images: Tensor, size: int) -> Tensor:
        """Return images of one of the sizes at the full size, each pixel repeated."""
        return images if size == self.last else interpolate(images, scale_factor=2 ** (self.last - size))

    @staticmethod
    def _read(growth: "Growth", _keys: Any = None) -> None:
        if not growth.stage.is_meta:
            growth._note(int(growth.stage))

    def _note(self, stage: int) -> None:
        self._largest = min(max(-(-stage // WHOLE), 0), self.last)  # a damaged checkpoint may say anything
        self._fades = 0 < stage < self.last * WHOLE and stage % WHOLE > 0


def faded(old: Tensor, new: Tensor, share: Tensor) -> Tensor:
    """Return both added up, `share` of the new one and the rest of the old one."""
    return old + share * (new - old)


def doubled(x: Tensor) -> Tensor:
    """Return `(n, channels, 2 height, 2 width)`: each value four times."""
    return interpolate(x, scale_factor=2)


def halved(x: Tensor) -> Tensor:
    """Return `(n, channels, height / 2, width / 2)`: means over squares of four."""
    return avg_pool2d(x, 2)
