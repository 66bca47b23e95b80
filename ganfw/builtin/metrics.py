"""The metrics writer."""

import contextlib
import json
import math
import os
from typing import Any

from ganfw import Callback, RunError, Training


class Metrics(Callback):
    """Writes a line of `metrics.jsonl` for each window, a JSON object: where training stands, and its means.

    A mean that is not finite is null, for JSON has no word for it.
    """

    needs_directory = True

    def __init__(self) -> None:
        self._bytes = 0  # of lines that a resume keeps: all but that of a window the end cut short

    def on_start(self, training: Training) -> None:
        """Drop lines after the point where training continues.

        Raises:
            RunError: the file cannot be written, or lines of it are lost.
        """
        path = training.require_directory("metrics") / "metrics.jsonl"
        try:
            with path.open("ab") as file:
                if file.tell() < self._bytes:
                    raise RunError(
                        f"{path}: shorter than the checkpoint says, so lines of metrics are lost; restore it"
                    )
                file.truncate(self._bytes)
        except OSError as error:
            raise RunError(f"{path}: cannot be written: {error.strerror}") from error

    def on_log(self, training: Training) -> None:
        """Append a line.

        Raises:
            RunError: the file cannot be written.
        """
        line = {
            "step": training.step,
            "epoch": training.epoch,
            "images": training.images,
            "seconds": round(training.seconds, 3),
            **({"warnings": training.warnings} if training.warnings else {}),
            **{name: value if math.isfinite(value) else None for name, value in training.means.items()},
        }
        path = training.require_directory("metrics") / "metrics.jsonl"
        content = (json.dumps(line) + "\n").encode()
        try:
            with path.open("ab") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                os.truncate(path, self._bytes)  # a full disk may have taken half a line
            raise RunError(f"{path}: cannot be written: {error.strerror}") from error
        if not training.means_are_partial:
            self._bytes += len(content)

    def state_dict(self) -> dict[str, Any]:
        """Return how much of the file belongs to the steps so far."""
        return {"bytes": self._bytes}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned.

        Raises:
            RunError: it is not the length of a file.
        """
        if type(state["bytes"]) is not int or state["bytes"] < 0:
            raise RunError(f"metrics.jsonl cannot be {state['bytes']!r:.60} bytes long")
        self._bytes = state["bytes"]
