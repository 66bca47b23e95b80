"""Milliseconds from a move of the playground's truncation slider until its samples are there, over HTTP on loopback.

    python benchmarks/play.py                   # the reference generator, 25 samples; a minute
    python benchmarks/play.py RUN... --count 100

`ganfw play` runs in a process of its own. Each move asks for another truncation, as the page does: one request at a
time, on a connection that stays open.
"""

import http.client
import statistics
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import click
from fixtures import short_run

BEFORE = 10
"""Moves that are not counted."""


def milliseconds(run: Path, count: int, moves: int) -> list[float]:
    """Serve a run, and return how long each move took."""
    command = [sys.executable, "-m", "ganfw", "play", str(run), "--no-browser", "--device", "cpu"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        address = urlsplit(server.stdout.readline().strip())
        connection = http.client.HTTPConnection(str(address.hostname), address.port)
        took = []
        for move in range(-BEFORE, moves):
            truncation = 2.9 - 2.8 * (move + BEFORE) / (moves + BEFORE)
            query = f"view=grid&run=0&count={count}&seed=0&truncation={truncation:.4f}"
            started = time.perf_counter()
            connection.request("GET", f"{address.path}api/samples?{query}")
            answer = connection.getresponse()
            body = answer.read()
            took.append(1000 * (time.perf_counter() - started))
            if answer.status != 200:
                sys.exit(f"{run}: {body.decode()}")
        connection.close()
        server.terminate()
    return took[BEFORE:]


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--count", default=25, show_default=True, help="Samples of a request.")
@click.option("--moves", default=200, show_default=True)
def main(runs: tuple[Path, ...], count: int, moves: int) -> None:
    """Print a table."""
    print("| run | samples | milliseconds, median (5 %-95 % of moves) | slowest |")
    print("|---|---|---|---|")
    for run in runs or (short_run(),):
        took = sorted(milliseconds(run, count, moves))
        low, high = took[len(took) // 20], took[-len(took) // 20 - 1]
        print(f"| {run.name} | {count} | {statistics.median(took):.1f} ({low:.1f}-{high:.1f}) | {took[-1]:.1f} |")


if __name__ == "__main__":
    main()
