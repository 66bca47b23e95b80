"""A run is killed again and again, by SIGKILL: nothing is torn, nothing is lost, and it ends with the same bits."""

import json
import random
import signal
import time
import tomllib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import define
from PIL import Image

from ganfw import Recipe, open_checkpoint

Launch = Callable[..., tuple[int, str]]
Bits = Callable[[Path], dict[str, Any]]

pytestmark = pytest.mark.slow


@pytest.fixture
def recipe(tiny: Recipe, tmp_path: Path) -> Path:
    """Return the file of a recipe that has something written after nearly every step."""
    often = Recipe(
        extends=tiny,
        run={"log_every_steps": 2, "max_steps": 7},
        callbacks={"samples": {"every_steps": 3}, "checkpoint": {"every_steps": 2}},
    )
    path = tmp_path / "tiny.toml"
    path.write_text(often.to_toml())
    return path


@define
class Victim:
    """A run that is killed and resumed until it is done.

    Attributes:
        launch: runs ganfw.
        bits: reads the bits of a run.
        expected: those of an undisturbed one.
        recipe: what it is a run of.
        folder: the folder of runs, its own.
        step: the step of its newest checkpoint.
        done: whether it ended of itself.
    """

    launch: Launch
    bits: Bits
    expected: dict[str, Any]
    recipe: Path
    folder: Path
    step: int = 0
    done: bool = False

    @property
    def directory(self) -> Path:
        """The newest run directory; the first ones may have been killed before they were whole."""
        return self.folder / f"tiny-{len(list(self.folder.glob('tiny-*')))}"

    @property
    def resumable(self) -> bool:
        """Whether the run directory is whole."""
        return (self.directory / "environment.json").exists()

    def go_on(self, **how_to_kill: Any) -> str:
        """Resume it, or begin again; look at what is there then; return what was printed."""
        arguments = ["resume", self.directory] if self.resumable else ["run", self.recipe, "--out", self.folder]
        status, output = self.launch(*arguments, folder=self.folder, **how_to_kill)
        if status == 0:
            assert self.bits(self.directory) == self.expected
            self.done = True
            return output
        assert status == -signal.SIGKILL, output
        if self.resumable:
            self._look()
        elif self.directory.exists():
            assert self.launch("resume", self.directory, folder=self.folder) == (
                2,
                f"Error: {self.directory}: not a run directory: it has no environment.json; name the run, not a "
                "checkpoint\n",
            )
        return output

    def _look(self) -> None:
        """Assert that a reader meets nothing torn, and that no checkpoint is lost."""
        run = self.directory
        json.loads((run / "environment.json").read_bytes())
        tomllib.loads((run / "recipe.toml").read_text())
        if (run / "metrics.jsonl").exists():
            text = (run / "metrics.jsonl").read_text()
            assert text[-1:] in ("", "\n"), "the last line is torn"
            lines = [json.loads(line) for line in text.splitlines()]
            undisturbed = self.expected["metrics.jsonl"][: len(lines)]
            assert [{**line, "seconds": 0} for line in lines] == [{**line, "seconds": 0} for line in undisturbed]
        for picture in (run / "samples").glob("*.png"):
            Image.open(picture).verify()
            assert picture.read_bytes() == self.expected[f"samples/{picture.name}"], picture
        steps = [open_checkpoint(path).manifest.step for path in (run / "checkpoints").glob("step-*")]
        newest = open_checkpoint(run).manifest.step if steps else 0
        assert newest >= self.step, f"the checkpoint of step {self.step} is lost"
        self.step = newest


def place(run: Path, since_ns: int) -> str:
    """Return inside what a run was killed that was started at a time, told by what is there now."""
    checkpoints = run / "checkpoints"
    for path in checkpoints.glob(".step-*.old"):
        if path.stat().st_ctime_ns > since_ns:
            return "removing a checkpoint"
    for path in checkpoints.glob(".step-*.tmp/*"):
        if path.stat().st_mtime_ns > since_ns:
            return "writing a checkpoint"
    for path in run.rglob(".*.tmp"):
        if path.is_file() and path.stat().st_mtime_ns > since_ns:
            return f"writing {path.name.split('.')[1]}"
    newest = max(checkpoints.glob("step-*"), default=None)
    latest = (checkpoints / "latest").read_text().strip() if (checkpoints / "latest").exists() else ""
    if newest and newest.name != latest and newest.stat().st_mtime_ns > since_ns:
        return "writing a checkpoint"
    return "elsewhere"


def test_a_run_killed_before_each_file_operation_ends_with_the_same_bits(
    launch: Launch, bits: Bits, recipe: Path, expected: dict[str, Any], tmp_path: Path
) -> None:
    victim = Victim(launch, bits, expected, recipe, tmp_path / "runs")
    operations: list[str] = []

    while not victim.done:
        last_line = victim.go_on(spared=operations).splitlines()[-1]
        assert last_line not in operations
        operations.append(last_line)

    kills = Counter(operation.split()[1].partition("/")[0] for operation in operations[:-1])
    assert kills["checkpoints"] >= 40, kills
    assert kills["samples"] >= 10, kills
    assert kills["metrics.jsonl"] >= 2, kills


def test_a_run_killed_at_random_moments_ends_with_the_same_bits(
    launch: Launch, bits: Bits, recipe: Path, expected: dict[str, Any], tmp_path: Path
) -> None:
    moments = random.Random(0)
    kills: Counter[str] = Counter()
    longest_seconds = 0.3  # to a kill; it follows the speed of the machine, so that about three kills go before an end

    while kills.total() < 200 or kills["writing a checkpoint"] < 10:
        victim = Victim(launch, bits, expected, recipe, tmp_path / f"after_{kills.total()}_kills")
        while not victim.done:
            since_ns = time.time_ns()
            victim.go_on(kill_after_seconds=moments.uniform(0, longest_seconds))
            longest_seconds *= 0.75 if victim.done else 1.1
            if not victim.done:
                kills[place(victim.directory, since_ns) if victim.resumable else "before it was a run"] += 1
