"""What ganfw's loop costs: a whole run with its default callbacks against its own bare step, in turn.

    python benchmarks/overhead.py    # five minutes

The bare step is called on one batch, within the same engine, in a loop that does nothing else. The run also gathers
batches, sums losses and tells callbacks; a round of 1,000 steps has two windows of metrics, two grids of samples and
one checkpoint.
"""

import statistics

import click
from interleave import ganfw_run, interleave, milliseconds, other, ratio

EXPERIMENTS = {
    "mnist_mlp": [],
    "mnist_mlp, bf16": ['run.precision="bf16"'],
    "small networks, batch 16": ["generator.hidden_dim=4", "discriminator.hidden_dim=4", "run.batch_size=16"],
}


@click.command()
@click.option("--rounds", default=5, show_default=True)
@click.option("--steps", default=1000, show_default=True, help="Steps in a round.")
def main(rounds: int, steps: int) -> None:
    """Print a table."""
    print("| experiment | bare step, ms | whole run, ms | whole run in bare steps | loop, ms a step |")
    print("|---|---|---|---|---|")
    for name, settings in EXPERIMENTS.items():
        bare, whole = other("bare_step", *settings), ganfw_run("ganfw run", *settings)
        interleave([bare, whole], rounds, steps)
        loop = statistics.median(
            1e3 / ours - 1e3 / theirs for ours, theirs in zip(whole.rates, bare.rates, strict=True)
        )
        print(f"| {name} | {milliseconds(bare)} | {milliseconds(whole)} | {ratio(bare, whole)} | {loop:.3f} |")


if __name__ == "__main__":
    main()
