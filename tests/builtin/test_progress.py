"""The progress bar, on real terminals."""

import os
import pty
import re
import struct
import sys
import threading
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from torch import Tensor, nn

import ganfw
from ganfw import Callback, Experiment, Recipe, Registry, Training, Update
from ganfw.builtin.progress import Progress

if sys.platform == "win32":
    pytest.skip("needs pseudo-terminals", allow_module_level=True)

import fcntl
import termios


class Terminal:
    """A terminal of a certain width, and all that was written to it."""

    def __init__(self, columns: int) -> None:
        self._leader, self._follower = pty.openpty()
        self.resize(columns)
        self.stream = os.fdopen(self._follower, "w", encoding="utf-8")
        self._read: list[bytes] = []
        self._reader = threading.Thread(target=self._copy, daemon=True)
        self._reader.start()

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self._follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def _copy(self) -> None:
        try:
            while piece := os.read(self._leader, 65536):
                self._read.append(piece)
        except OSError:  # how Linux says that the other end is closed
            pass

    def close(self) -> str:
        """Return all that was written."""
        self.stream.close()
        self._reader.join()
        os.close(self._leader)
        return b"".join(self._read).decode()


class Narrowing(Callback):
    """Makes the terminal narrower in the middle of training."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal

    def on_step(self, training: Training) -> None:
        if training.step == 6:
            self.terminal.resize(40)


def experiment(recipe: Recipe, registry: Registry, **changes: Any) -> Experiment:
    """Return the recipe's experiment with other fields."""
    built = ganfw.assemble(ganfw.resolve(recipe, registry))
    given = {field.name: getattr(built, field.name) for field in attrs.fields(Experiment) if field.init}
    return Experiment(**{**given, **changes})


def train(
    terminal: Terminal, recipe: Recipe, registry: Registry, monkeypatch: pytest.MonkeyPatch, **callbacks: Callback
) -> str:
    """Train for some steps on a terminal; return what was written to it."""

    built = experiment(recipe, registry, callbacks={"progress": Progress(), **callbacks})
    losses = {"discriminator": (0.4321, {"r1/discriminator": torch.tensor(0.0123)}), "generator": (1.2345, {})}
    built.updates = tuple(
        Update(name, lambda batch, random, value=value, name=name: constant(built.networks[name], value), observe=seen)
        for name, (value, terms) in losses.items()
        for seen in [lambda _, terms=terms: terms]
    )
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    monkeypatch.setattr("tqdm.std.tqdm.monitor_interval", 0)
    try:
        ganfw.train(built, steps=12)
    finally:
        monkeypatch.undo()
    return terminal.close()


def constant(network: nn.Module, value: float) -> Tensor:
    """Return a loss that is always the same."""
    return value + 0 * sum(weight.sum() for weight in network.parameters())


def bars(text: str) -> list[str]:
    return [bar.rstrip() for bar in re.findall(r"step \d+/12[^\r\n]*", text)]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_bar_shows_step_speed_and_time_left_at_every_width(
    columns: int, tiny: Recipe, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = bars(train(Terminal(columns), tiny, registry, monkeypatch))

    assert found
    assert all(re.match(r"step \d+/12  +(\?|[\d.]+)/s  [\d:?]+ left", bar) for bar in found)
    assert max(map(len, found)) <= columns
    if columns >= 80:
        assert "left  epoch 1  D 0.432  G 1.235  r1/D 0.012" in found[-1]


def test_nothing_is_left_of_a_bar_that_was_wrapped(
    tiny: Recipe, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal(80)
    monkeypatch.setenv("TERM", "xterm")

    text = train(terminal, tiny, registry, monkeypatch, narrowing=Narrowing(terminal))

    assert text.count("\x1b[1A\r\x1b[J") == 1
    later = text.partition("\x1b[1A\r\x1b[J")[2]
    assert bars(later)
    assert max(map(len, re.findall(r"\r([^\r\n]*)(?=\r(?!\n))", later))) <= 40


@pytest.mark.parametrize("stream", [None, "file"])
def test_without_a_terminal_there_is_no_bar(
    stream: str | None, tiny: Recipe, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = experiment(tiny, registry, callbacks={"progress": Progress()})
    with (tmp_path / "err.txt").open("w") as file:
        monkeypatch.setattr(sys, "stderr", file if stream else None)
        ganfw.train(built, steps=4)
        monkeypatch.undo()

    lines = (tmp_path / "err.txt").read_text()
    assert bool(re.fullmatch(r"step 4  epoch 1/1  .*left\n", lines)) == bool(stream)
    assert "\r" not in lines
