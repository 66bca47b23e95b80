"""Time contestants in turn, each in a process of its own, so that the machine's moods fall on all alike."""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from attrs import define, field

HERE = Path(__file__).parent
RECIPE = HERE.parent / "recipes" / "mnist_mlp.toml"


@define
class Contestant:
    """A process that trains when told to.

    Attributes:
        name: what the table calls it.
        command: prints `seconds S` for each line with a number of steps that it reads.
        rates: steps a second, a round each.
    """

    name: str
    command: Sequence[str]
    rates: list[float] = field(factory=list)
    process: "subprocess.Popen[str]" = field(init=False)

    def start(self) -> None:
        """Start the process; it waits for its first round."""
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
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
        self.process.stdin.close()
        self.process.wait(60)


def other(loop: str) -> Contestant:
    """Return a contestant for a function of `loops.py`."""
    return Contestant(loop.replace("_", " "), [sys.executable, str(HERE / "loops.py"), loop])


def ganfw_run(name: str, *settings: str) -> Contestant:
    """Return a contestant for `ganfw run recipes/mnist_mlp.toml` with its default callbacks and some settings."""
    overrides = [f"--set={setting}" for setting in ("callbacks.pace.use=pace", *settings)]
    out = tempfile.mkdtemp(prefix="ganfw-benchmark-")
    command = ["ganfw", "run", str(RECIPE), "--plugin", str(HERE / "pace.py"), "--out", out, *overrides]
    return Contestant(name, [sys.executable, "-m", *command])


def take_turns(contestants: Sequence[Contestant], rounds: int, steps: int, warm_up: int = 30) -> None:
    """Let every contestant train for `steps` steps, one after the other, and all over again `rounds` times."""
    for contestant in contestants:
        contestant.start()
        contestant.train(warm_up)
    for number in range(rounds):
        for contestant in contestants:
            contestant.rates.append(steps / contestant.train(steps))
            print(f"round {number + 1}: {contestant.name} {contestant.rates[-1]:.1f} steps/s", file=sys.stderr)
    for contestant in contestants:
        contestant.end()


def ratio(contestant: Contestant, base: Contestant) -> str:
    """Return the median, lowest and highest ratio of the rates of a round, as text."""
    ratios = sorted(mine / theirs for mine, theirs in zip(contestant.rates, base.rates, strict=True))
    return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"
