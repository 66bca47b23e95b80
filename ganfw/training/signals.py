"""Ctrl-C, SIGTERM, SIGHUP: the first asks training to stop after the current step, the second stops at once."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Protocol


class Stoppable(Protocol):
    """A training, or a sweep."""

    def stop(self, reason: str, /) -> None:
        """Ask it to stop when that loses nothing."""


@contextlib.contextmanager
def stop_on_signals(training: Stoppable) -> Iterator[list[signal.Signals]]:
    """Within the block, turn signals into `training.stop`; yield the list of those received.

    SIGHUP stays ignored where it is, as under `nohup`. Outside the main thread no signal is handled.
    """
    received: list[signal.Signals] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

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
