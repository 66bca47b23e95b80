"""Ctrl-C, SIGTERM, SIGHUP: the first asks training to stop after the step under way, the second stops at once."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from ganfw.training.loop import Training


@contextlib.contextmanager
def stop_on_signals(training: Training) -> Iterator[list[signal.Signals]]:
    """Within the block, turn signals into `training.stop`; yield the list of those received.

    SIGHUP is left alone where it is ignored, as under `nohup`.
    """
    received: list[signal.Signals] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        received.append(signal.Signals(number))
        if len(received) > 1:
            raise KeyboardInterrupt
        training.stop(received[0].name)

    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
