"""How good are other networks with the same loss?

    python benchmarks/networks.py train runs/networks    # trains and evaluates what is not there yet
    python benchmarks/networks.py table runs/networks

The table is made from the run directories alone: mean and standard deviation over the seeds of each recipe. No recipe
was tuned. Networks other than perceptrons are those of `plugins/ganfw-conv`.
"""

import statistics
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from runs import digits, evaluated, mean_and_spread, result, seconds, trained, value

TWO_EPOCHS = ("--set", "run.epochs=2", "--set", "run.batch_size=128")
RECIPES = ("mnist_mlp_short", "mnist_dcgan", "mnist_dcgan_conditional", "mnist_resnet")
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
    """Compare the recipes of networks."""


@main.command()
@click.argument("runs", type=click.Path(path_type=Path))
@click.option("--seed", "seeds", type=int, multiple=True, default=[0, 1, 2], show_default=True, help="Repeatable.")
def train(runs: Path, seeds: Sequence[int]) -> None:
    """Train each recipe with each seed in its own folder of RUNS, and evaluate it, unless it is there already."""
    for seed in seeds:
        for recipe in RECIPES:
            folder = runs / f"{recipe}-seed-{seed}"
            evaluated(trained(folder, recipe, "--seed", str(seed), *TWO_EPOCHS))


@main.command()
@click.argument("runs", type=click.Path(path_type=Path))
def table(runs: Path) -> None:
    """Print the table of RUNS."""
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for run in sorted(runs.glob("*/*")):
        if document := result(run):
            found[document["name"]].append({**document, "minutes": seconds(run) / 60})
    if not found:
        sys.exit(f"{runs}: no run there was evaluated")
    print(_table(found))


def _table(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    lines = [f"| recipe | {' | '.join(COLUMNS.values())} | minutes | seeds |", "|---" * (len(COLUMNS) + 3) + "|"]

    def mean(name: str, key: str) -> float:
        return statistics.mean(value(document, key) for document in found[name])

    for name in sorted(found, key=lambda name: mean(name, "frechet_distance")):
        cells = [mean_and_spread([value(document, metric) for document in found[name]]) for metric in COLUMNS]
        minutes = statistics.mean(document["minutes"] for document in found[name])
        lines.append(f"| `{name}` | {' | '.join(cells)} | {minutes:.1f} | {len(found[name])} |")
    any_document = next(iter(found.values()))[0]
    real_data = [digits(any_document["metrics"][metric]["real_data"]) for metric in COLUMNS]
    lines.append(f"| real training images | {' | '.join(real_data)} | | |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
