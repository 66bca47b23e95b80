"""How good are the losses on the same two networks, and how good are other networks with the same loss?

    python benchmarks/comparison.py train runs/comparison    # trains and evaluates what is not there yet
    python benchmarks/comparison.py table runs/comparison

The tables are made from the run directories alone: mean and standard deviation over the seeds of each recipe. No recipe
was tuned: it compares what these settings give, and a loss that wants another rate or more steps shows it. Networks
other than perceptrons are those of `plugins/ganfw-conv`.
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
GROUPS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "losses": dict.fromkeys(
        [
            "mnist_mlp_short",
            "mnist_mlp_minimax",
            "mnist_mlp_lsgan",
            "mnist_mlp_hinge",
            "mnist_mlp_logistic",
            "mnist_mlp_wgan",
            "mnist_mlp_wgan_gp",
            "mnist_mlp_dragan",
            "mnist_mlp_relativistic",
        ],
        (),
    ),
    "networks": dict.fromkeys(
        ["mnist_mlp_short", "mnist_dcgan", "mnist_dcgan_conditional", "mnist_resnet"], TWO_EPOCHS
    ),
}
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
    """Compare the recipes of losses, and those of networks."""


@main.command()
@click.argument("runs", type=click.Path(path_type=Path))
@click.option("--group", "groups", multiple=True, type=click.Choice([*GROUPS]), default=[*GROUPS], help="Repeatable.")
@click.option("--seed", "seeds", type=int, multiple=True, default=[0, 1, 2], show_default=True, help="Repeatable.")
def train(runs: Path, groups: Sequence[str], seeds: Sequence[int]) -> None:
    """Train each recipe with each seed in its own folder of RUNS, and evaluate it, unless it is there already."""
    for group in groups:
        for seed in seeds:
            for recipe, options in GROUPS[group].items():
                folder = runs / group / f"{recipe}-seed-{seed}"
                evaluated(trained(folder, recipe, "--seed", str(seed), *options))


@main.command()
@click.argument("runs", type=click.Path(path_type=Path))
def table(runs: Path) -> None:
    """Print the tables of RUNS."""
    for group in GROUPS:
        found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for run in sorted(runs.glob(f"{group}/*/*")):
            if document := result(run):
                found[document["name"]].append({**document, "minutes": seconds(run) / 60})
        if not found:
            print(f"no {group} in {runs}", file=sys.stderr)
            continue
        print(f"{_table(found)}\n")


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
