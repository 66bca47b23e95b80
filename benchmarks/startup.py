"""How long each command takes from its start: without plugins, and with 200 installed; beside Python and torch alone.

    python benchmarks/startup.py    # five minutes

Commands are timed in turn; a first time, which warms the system's caches, does not count. `ganfw run` is timed until
its first step is done.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

import click
from fixtures import RECIPE, scratch, short_run, with_plugins
from interleave import ganfw_run

PYTHON = "python -c pass"
TORCH = "python -c 'import torch'"
FIRST_STEP = "ganfw run mnist_mlp"

IMPORTS = """
from time import perf_counter
times = [perf_counter()]
import torch
times.append(perf_counter())
import torch._dynamo
print(times[1] - times[0], perf_counter() - times[1])
"""

Environment = Mapping[str, str]


def wall_seconds(*command: str) -> Callable[[Environment], float]:
    """Return what times a command of Python in an environment."""

    def time_it(environment: Environment) -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, *command], env={**os.environ, **environment}, check=True, capture_output=True)
        return time.perf_counter() - started

    return time_it


def import_seconds() -> list[float]:
    """Return how long importing torch takes, and then torch._dynamo."""
    command = [sys.executable, "-c", IMPORTS]
    return [float(word) for word in subprocess.check_output(command, text=True).split()]


def first_step_seconds(environment: Environment) -> float:
    """Return how long a run takes until its first step is done."""
    run = ganfw_run("run", environment=environment)
    started = time.perf_counter()
    run.start()
    run.train(1)
    seconds = time.perf_counter() - started
    run.end()
    return seconds


def summary(times: list[float]) -> str:
    """Return the median, lowest and highest time in milliseconds, as text."""
    return f"{1e3 * statistics.median(times):.0f} ({1e3 * min(times):.0f}-{1e3 * max(times):.0f})"


@click.command()
@click.option("--runs", default=7, show_default=True, help="How often each command is timed.")
@click.option("--plugins", default=200, show_default=True, help="How many more plugins are installed.")
def main(runs: int, plugins: int) -> None:
    """Print a table, and what the time until the first step consists of."""
    picture = str(scratch() / "samples.png")
    ganfw = {
        "ganfw --help": ["--help"],
        "ganfw parts": ["parts"],
        "ganfw plugins": ["plugins"],
        "ganfw recipes": ["recipes"],
        "ganfw check mnist_mlp": ["check", str(RECIPE)],
        "ganfw show mnist_mlp": ["show", str(RECIPE)],
        "ganfw sample RUN": ["sample", str(short_run()), "-o", picture],
    }
    alone = {name: wall_seconds("-c", name.split(" ", 2)[2].strip("'")) for name in (PYTHON, TORCH)}
    verbs = {name: wall_seconds("-m", "ganfw", *arguments) for name, arguments in ganfw.items()}
    verbs[FIRST_STEP] = first_step_seconds
    installed = with_plugins(plugins)
    contests = [(name, {}, time_it) for name, time_it in {**alone, **verbs}.items()]
    contests += [(name, installed, time_it) for name, time_it in verbs.items()]
    times: dict[tuple[str, bool], list[float]] = {}
    imports = []
    for run in range(runs + 1):
        imports.append(import_seconds())
        for name, environment, time_it in contests:
            seconds = time_it(environment)
            if run > 0:
                times.setdefault((name, bool(environment)), []).append(seconds)
            print(f"round {run}: {name} {seconds:.2f} s", file=sys.stderr)
    print(f"| command | ms, median (lowest-highest) | with {plugins} plugins |\n|---|---|---|")
    for name in (*alone, *verbs):
        more = summary(times[name, True]) if name in verbs else ""
        print(f"| `{name}` | {summary(times[name, False])} | {more} |")
    python, whole = (1e3 * statistics.median(times[name, False]) for name in (PYTHON, FIRST_STEP))
    torch, dynamo = (1e3 * statistics.median(seconds) for seconds in zip(*imports, strict=True))
    print(
        f"\nUntil the first step: {whole:.0f} ms, of which starting Python {python:.0f}, importing torch {torch:.0f}, "
        f"all else {whole - python - torch:.0f}. Importing torch._dynamo, as torch's own optimizers do, takes "
        f"{dynamo:.0f}."
    )


if __name__ == "__main__":
    main()
