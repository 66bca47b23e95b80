"""Ctrl-C and SIGTERM: the first asks training to stop after the step under way, the second stops at once."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from ganfw.training.loop import Training


@contextlib.contextmanager
def stop_on_signals(training: Training) -> Iterator[list[signal.Signals]]:
    """Within the block, turn SIGINT and SIGTERM into `training.stop`; yield the list of those received."""
    received: list[signal.Signals] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        received.append(signal.Signals(number))
        if len(received) > 1:
            raise KeyboardInterrupt
        training.stop(received[0].name)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
