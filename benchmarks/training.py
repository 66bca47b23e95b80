"""Steps a second of ganfw and of other loops on the reference GAN, in turn and in one run.

    python benchmarks/training.py                    # all that are installed, 5 rounds of 500 steps: half an hour
    python benchmarks/training.py notebook ganfw     # a pair

Needs ganfw; Lightning and JAX take part when they are installed.
"""

import importlib.util
import statistics
import sys

import click
from interleave import Contestant, ganfw_run, interleave, other, ratio

LOOPS = ["notebook", "lightning_manual", "tuned", "jax_jitted", "products", "tuned_bf16", "products_bf16"]
GANFW = {
    "ganfw": [],
    "ganfw_compiled": ["run.compile=true"],
    "ganfw_bf16": ['run.precision="bf16"'],
    "ganfw_bf16_compiled": ['run.precision="bf16"', "run.compile=true"],
}


def contestant(name: str) -> Contestant:
    """Return the contestant of a name."""
    return ganfw_run(name.replace("_", " "), *GANFW[name]) if name in GANFW else other(name)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice([*LOOPS, *GANFW]))
@click.option("--rounds", default=5, show_default=True)
@click.option("--steps", default=500, show_default=True, help="Steps in a round.")
def main(names: tuple[str, ...], rounds: int, steps: int) -> None:
    """Time the loops NAMES, or all; print a table with ratios to the first."""
    missing = {
        name
        for name, package in (("lightning_manual", "lightning"), ("jax_jitted", "jax"))
        if not importlib.util.find_spec(package)
    }
    chosen = [name for name in names or (*LOOPS, *GANFW) if name not in missing]
    for name in missing & set(names or LOOPS):
        print(f"skipped, not installed: {name}", file=sys.stderr)
    contestants = [contestant(name) for name in chosen]
    interleave(contestants, rounds, steps)
    print(f"| loop | steps/s, median | lowest-highest | of {contestants[0].name} |\n|---|---|---|---|")
    for each in contestants:
        rates = each.rates
        print(
            f"| {each.name} | {statistics.median(rates):.1f} | {min(rates):.1f}-{max(rates):.1f} "
            f"| {ratio(each, contestants[0])} |"
        )


if __name__ == "__main__":
    main()
