"""Train recipes and evaluate them, each in a folder of its own and only once; read what the run directories hold."""

import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def ganfw(*arguments: str) -> None:
    """Run the command line."""
    subprocess.run([sys.executable, "-m", "ganfw", *arguments], check=True)


def trained(folder: Path, recipe: str, *options: str) -> Path:
    """Train a recipe in a folder, unless it has been; return the run directory."""
    if not list(folder.glob("*/metrics.jsonl")):
        ganfw("run", recipe, "--out", str(folder), *options)
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
    """Return what was found by an embedding about the last checkpoint, with the run's own seed, or None."""
    documents = [json.loads(path.read_text()) for path in sorted(run.glob("eval/step-*.json"))]
    last = max((document["step"] for document in documents), default=None)
    for document in documents:
        if document["step"] == last and document["embedding"]["name"] == embedding and "metrics" in document:
            return document
    return None


def seconds(run: Path) -> float:
    """Return the seconds that a run has trained, from before its first step on."""
    return float(_last_line(run)["seconds"])


def steps(run: Path) -> int:
    """Return the steps that a run has done."""
    return int(_last_line(run)["step"])


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


def _last_line(run: Path) -> Mapping[str, Any]:
    line: Mapping[str, Any] = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    return line
