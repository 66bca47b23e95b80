"""Parts, given to `ganfw run --plugin`, that stand in for what a larger experiment has."""

from collections.abc import Iterator
from typing import Annotated

import torch
from annotated_types import Ge

from ganfw import Part, TensorData, hookimpl


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    """Offer the parts."""
    yield Part(kind="callback", name="idle", target="ganfw:Callback", help="does nothing at every event")
    yield Part(kind="data", name="random_images", target=f"{__name__}:random_images", help="any number of images")


def random_images(
    *,
    size: Annotated[int, Ge(1), "how many"] = 60_000,
    channels: Annotated[int, Ge(1), "of each"] = 1,
    side: Annotated[int, Ge(1), "in pixels"] = 28,
) -> TensorData:
    """Return random images in memory, by default of MNIST's shape."""
    return TensorData(torch.randint(256, (size, channels, side, side), dtype=torch.uint8))
