"""What each part of the engine buys: the bare step of the reference GAN with one part taken out, in turn.

    python benchmarks/ablation.py    # three minutes

All compute the same mathematics.
"""

import click
from interleave import interleave, milliseconds, other, ratio

PARTS = {
    "nothing": [],
    "products by oneDNN": ["onednn"],
    "one discriminator pass over fakes and reals": ["one_pass"],
    "fused Adam": ["fused"],
    "all of these": ["onednn", "one_pass", "fused"],
}


@click.command()
@click.option("--rounds", default=5, show_default=True)
@click.option("--steps", default=300, show_default=True, help="Steps in a round.")
@click.option("--precision", default="fp32", show_default=True, type=click.Choice(["fp32", "bf16"]))
def main(rounds: int, steps: int, precision: str) -> None:
    """Print a table."""
    contestants = {name: other("step_without", precision, *taken) for name, taken in PARTS.items()}
    interleave(list(contestants.values()), rounds, steps)
    print("| taken out | ms a step | speed of the whole engine, over this |\n|---|---|---|")
    for name, contestant in contestants.items():
        print(f"| {name} | {milliseconds(contestant)} | {ratio(contestants['nothing'], contestant)} |")


if __name__ == "__main__":
    main()
