"""A callback that makes each step take its time, so that a trial can be disturbed in the middle."""

import time
from collections.abc import Iterator

from ganfw import Callback, Part, Training, hookimpl


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    yield Part(kind="callback", name="slow", target="slow:Slow")


class Slow(Callback):
    def on_step(self, training: Training) -> None:
        time.sleep(0.05)
