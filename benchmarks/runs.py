"""Train recipes and evaluate them, each in a folder of its own and only once; read what the run directories hold."""

import json
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PLAIN = re.compile(r"step-\d+(-set-[0-9a-f]+)?")
"""The name of an evaluation's file if the samples are the plain ones: 10,000, of the run's seed, not truncated."""


def ganfw(*arguments: str) -> None:
    """Run the command line."""
    subprocess.run([sys.executable, "-m", "ganfw", *arguments], check=True)


def trained(folder: Path, recipe: str, *options: str) -> Path:
    """Train a recipe in a folder, unless it has been; return the run directory.

    A run that was interrupted begins anew. A recipe that has changed since is not noticed: remove the folder.
    """
    if not folder.exists():
        unfinished = folder.with_name(f"{folder.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        ganfw("run", recipe, "--out", str(unfinished), *options)
        unfinished.rename(folder)
    (run,) = folder.glob("*/")
    return run


def evaluated(run: Path, *options: str, embedding: str = "mnist_classifier") -> Mapping[str, Any]:
    """Evaluate the last checkpoint of a run, unless it has been; return what `eval/*.json` says.

    Args:
        run: the run directory.
        options: of `ganfw evaluate`.
        embedding: the embedding that they choose.
    """
    if (found := result(run, embedding)) is None:
        ganfw("evaluate", str(run), *options)
        found = result(run, embedding)
    assert found, f"{run}: ganfw evaluate wrote no result by {embedding}"
    return found


def result(run: Path, embedding: str = "mnist_classifier") -> Mapping[str, Any] | None:
    """Return what an embedding found about the last step of a run, with the plain samples, or None."""
    for path in sorted(run.glob("eval/step-*.json"), reverse=True):
        if PLAIN.fullmatch(path.stem):
            document: Mapping[str, Any] = json.loads(path.read_text())
            if document["step"] == steps(run) and document["embedding"]["name"] == embedding:
                return document
    return None


def seconds(run: Path) -> float:
    """Return the seconds from before the first step of a run to the last line of its metrics."""
    return float(lines(run)[-1]["seconds"])


def steps(run: Path) -> int:
    """Return the steps that a run has done."""
    return int(lines(run)[-1]["step"])


def value(document: Mapping[str, Any], metric: str) -> float:
    """Return the value of a metric; what could not be computed ends the program."""
    found = document["metrics"][metric]
    if found["value"] is None:
        sys.exit(f"{document['name']}: no {metric}: {found['reason']}")
    return float(found["value"])


def mean_and_spread(values: Sequence[float]) -> str:
    """Return the mean and the standard deviation, as text."""
    spread = f" ± {digits(statistics.stdev(values))}" if len(values) > 1 else ""
    return f"{digits(statistics.mean(values))}{spread}"


def digits(number: float) -> str:
    """Return a number with as many digits as matter, as text."""
    return f"{number:.1f}" if abs(number) >= 10 else f"{number:.2f}" if abs(number) >= 0.1 else f"{number:.3f}"


def lines(run: Path) -> list[Mapping[str, Any]]:
    """Return the lines of a run's `metrics.jsonl`."""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
