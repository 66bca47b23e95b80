"""Time contestants in turn, each in a process of its own, so that the machine's moods fall on all alike."""

import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import define, field
from fixtures import RECIPE, scratch
from memory import Usage, resident_mib, usage_of

HERE = Path(__file__).parent


@define
class Contestant:
    """A process that trains when told to.

    Attributes:
        name: what the table calls it.
        command: prints `seconds S` for each line with a number of steps that it reads.
        environment: variables that the process has besides this one's.
        rates: steps a second, a round each.
        usages: what a step used, a round each.
        first_step: seconds from its start to the end of its first step.
        peak_mib: the most memory that it had before it was let end; if it trains on CUDA, the most that tensors took.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(factory=dict)
    rates: list[float] = field(factory=list)
    usages: list[Usage] = field(factory=list)
    first_step: float = math.nan
    peak_mib: float = math.nan
    process: "subprocess.Popen[str]" = field(init=False)

    def start(self) -> None:
        """Start the process; it waits for its first round."""
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **self.environment},
        )

    def train(self, steps: int) -> float:
        """Train for a number of steps; return the seconds they took."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("seconds "):
                return float(line.split()[1])
        sys.exit(f"{self.name} ended early: {' '.join(self.command)}")

    def end(self) -> None:
        """Let the process end."""
        assert self.process.stdin
        assert self.process.stdout
        self.peak_mib = resident_mib(self.process.pid, peak=True)
        self.process.stdin.close()
        for line in self.process.stdout:
            if line.startswith("cuda MiB "):
                self.peak_mib = float(line.split()[2])
        self.process.wait(60)


def other(loop: str, *settings: str) -> Contestant:
    """Return a contestant for a function of `loops.py`, called with some settings."""
    return Contestant(loop.replace("_", " "), [sys.executable, str(HERE / "loops.py"), loop, *settings])


def ganfw_run(
    name: str, *settings: str, recipe: str = str(RECIPE), environment: Mapping[str, str] | None = None
) -> Contestant:
    """Return a contestant for `ganfw run RECIPE` with its default callbacks and some settings."""
    overrides = [f"--set={setting}" for setting in ("callbacks.stepper.use=stepper", *settings)]
    scripts = [f"--plugin={HERE / script}" for script in ("stepper.py", "dummies.py")]
    out = tempfile.mkdtemp(dir=scratch())
    command = [sys.executable, "-m", "ganfw", "run", recipe, *scripts, "--out", out, *overrides]
    return Contestant(name, command, environment or {})


def interleave(
    contestants: Sequence[Contestant],
    rounds: int,
    steps: int = 0,
    *,
    seconds: float = 0.0,
    warm_up: int = 30,
    until: float = math.inf,
    nobody_first: bool = True,
) -> None:
    """Let every contestant train, one after the other, and all over again `rounds` times, each time from another first.

    The process that starts first is a few percent slower than the same started later; that one is nobody's.

    Args:
        contestants: who trains.
        rounds: how often.
        steps: how many steps each does in a round; 0 for as many as it can do in `seconds`.
        seconds: about how long each trains in a round.
        warm_up: steps that each does first, of which only the first one is timed.
        until: when to begin no further round, by `time.monotonic`.
        nobody_first: whether to begin with that process; others have been started just before where it is not needed.
    """
    nobody = [Contestant("nobody", contestants[0].command, contestants[0].environment)] if nobody_first else []
    for each in nobody:
        each.start()
        each.train(warm_up)
    turns = []
    for contestant in contestants:
        started = time.monotonic()
        contestant.start()
        contestant.train(1)
        contestant.first_step = time.monotonic() - started
        contestant.train(warm_up - 1)
        turns.append((contestant, steps or max(1, round(5 * seconds / contestant.train(5)))))
    for number in range(rounds):
        if number > 0 and time.monotonic() > until:
            break
        for turn in range(number, number + len(turns)):
            contestant, length = turns[turn % len(turns)]
            before = usage_of(contestant.process.pid)
            contestant.rates.append(length / contestant.train(length))
            contestant.usages.append(usage_of(contestant.process.pid).since(before, length))
            print(f"round {number + 1}: {contestant.name} {contestant.rates[-1]:.1f} steps/s", file=sys.stderr)
    for contestant in (*nobody, *contestants):
        contestant.end()


def milliseconds(contestant: Contestant) -> str:
    """Return the median, lowest and highest time of a step, as text."""
    times = sorted(1e3 / rate for rate in contestant.rates)
    return f"{statistics.median(times):.2f} ({times[0]:.2f}-{times[-1]:.2f})"


def ratio(contestant: Contestant, base: Contestant) -> str:
    """Return the median, lowest and highest ratio of the rates of a round, as text."""
    ratios = sorted(mine / theirs for mine, theirs in zip(contestant.rates, base.rates, strict=True))
    return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"
