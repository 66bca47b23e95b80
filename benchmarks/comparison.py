"""How good are the losses on the same two networks, with the same budget?

    python benchmarks/comparison.py train runs/comparison    # trains and evaluates what is not there yet
    python benchmarks/comparison.py table runs/comparison

The table is made from the run directories alone: mean and standard deviation over the seeds of each recipe. No recipe
was tuned: it compares what these settings give, and a loss that wants another rate or more steps shows it.
"""

import json
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

RECIPES = [
    "mnist_mlp_short",
    "mnist_mlp_minimax",
    "mnist_mlp_lsgan",
    "mnist_mlp_hinge",
    "mnist_mlp_logistic",
    "mnist_mlp_wgan",
    "mnist_mlp_wgan_gp",
    "mnist_mlp_dragan",
    "mnist_mlp_relativistic",
]
COLUMNS = {
    "frechet_distance": "Fréchet distance",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
    "class_kl": "class KL",
}


@click.group()
def main() -> None:
    """Compare the recipes of losses."""


@main.command()
@click.argument("runs", type=click.Path(path_type=Path))
@click.option("--seeds", default=3, show_default=True)
@click.option("--recipe", "recipes", multiple=True, default=RECIPES, help="Instead of all. Repeatable.")
def train(runs: Path, seeds: int, recipes: Sequence[str]) -> None:
    """Train each recipe with each seed in its own folder of RUNS, and evaluate it, unless it is there already."""
    for seed in range(seeds):
        for recipe in recipes:
            folder = runs / f"{recipe}-seed-{seed}"
            run = folder / f"{recipe}-1"
            if not run.exists():
                _ganfw("run", recipe, "--seed", str(seed), "--out", str(folder))
            if not _results(run):
                _ganfw("evaluate", str(run))


@main.command()
@click.argument("runs", type=click.Path(path_type=Path))
def table(runs: Path) -> None:
    """Print the table of RUNS."""
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for run in sorted(runs.glob("*/*")):
        for result in _results(run):
            found[result["name"]].append({**result, "minutes": _minutes(run)})
    print(_table(found))


def _table(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    lines = [f"| recipe | {' | '.join(COLUMNS.values())} | minutes | seeds |", "|---" * (len(COLUMNS) + 3) + "|"]
    order = sorted(found, key=lambda name: statistics.mean(_values(found[name], "frechet_distance")))
    for name in order:
        results = found[name]
        cells = [_mean_and_spread(_values(results, metric)) for metric in COLUMNS]
        minutes = statistics.mean(result["minutes"] for result in results)
        lines.append(f"| `{name}` | {' | '.join(cells)} | {minutes:.1f} | {len(results)} |")
    any_result = next(iter(found.values()))[0]
    floors = [_digits(any_result["metrics"][metric]["floor"]) for metric in COLUMNS]
    lines.append(f"| real training images | {' | '.join(floors)} | | |")
    return "\n".join(lines)


def _values(results: Sequence[Mapping[str, Any]], metric: str) -> list[float]:
    return [result["metrics"][metric]["value"] for result in results]


def _mean_and_spread(values: Sequence[float]) -> str:
    spread = f" ± {_digits(statistics.stdev(values))}" if len(values) > 1 else ""
    return f"{_digits(statistics.mean(values))}{spread}"


def _digits(value: float) -> str:
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _results(run: Path) -> list[Mapping[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(run.glob("eval/step-*.json")) if path.stem.count("-") == 1]


def _minutes(run: Path) -> float:
    last = (run / "metrics.jsonl").read_text().splitlines()[-1]
    return float(json.loads(last)["seconds"]) / 60


def _ganfw(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "ganfw", *arguments], check=True)


if __name__ == "__main__":
    main()
