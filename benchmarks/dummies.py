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


def random_images(*, size: Annotated[int, Ge(1), "how many"] = 60_000) -> TensorData:
    """Return random images of MNIST's shape, in memory."""
    return TensorData(torch.randint(256, (size, 1, 28, 28), dtype=torch.uint8))
