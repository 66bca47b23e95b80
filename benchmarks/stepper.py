"""A callback, given to `ganfw run --plugin`, with which a benchmark holds a real run between rounds of steps."""

import sys
import time
from collections.abc import Iterator

import torch

from ganfw import Callback, Part, Training, hookimpl


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    """Offer the callback."""
    yield Part(kind="callback", name="stepper", target=f"{__name__}:Stepper", help="hold a run between rounds of steps")


class Stepper(Callback):
    """Waits for a line with a number of steps on standard input, trains for them, and prints the seconds.

    Standard input's end stops the run.
    """

    def __init__(self) -> None:
        self.until = 0
        self.started = 0.0

    def on_start(self, training: Training) -> None:
        """Wait for the first round."""
        self._wait(training)

    def on_step_end(self, training: Training) -> None:
        """End the round if its steps are done, and wait for the next."""
        if training.step >= self.until:
            print("seconds", time.perf_counter() - self.started, file=sys.__stdout__, flush=True)
            self._wait(training)

    def _wait(self, training: Training) -> None:
        line = sys.stdin.readline()
        if not line:
            if torch.cuda.is_initialized():
                print("cuda MiB", torch.cuda.max_memory_allocated() / 2**20, file=sys.__stdout__, flush=True)
            training.stop("the end of standard input")
            return
        self.until = training.step + int(line)
        self.started = time.perf_counter()
