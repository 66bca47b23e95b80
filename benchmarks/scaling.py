"""Milliseconds a step and memory of `ganfw run` as one thing grows, and memory over many steps.

    python benchmarks/scaling.py                      # everything: a quarter of an hour
    python benchmarks/scaling.py batch_size plugins   # some
    python benchmarks/scaling.py memory               # over 10,000 steps alone

Each configuration is a process of its own; those of one table take turns. Memory is known on Linux only.
"""

from collections.abc import Callable, Sequence

import click
from fixtures import with_plugins
from interleave import Contestant, ganfw_run, interleave, milliseconds, ratio
from memory import resident_mib

SMALL = ["generator.hidden_dim=4", "discriminator.hidden_dim=4"]


def setting(*patterns: str) -> Callable[[int], Contestant]:
    """Return what makes a contestant of a value for settings."""
    return lambda value: ganfw_run(f"{value:,}", *(pattern.format(value) for pattern in patterns))


def callbacks(count: int) -> Contestant:
    return ganfw_run(f"{count:,}", *(f"callbacks.idle_{number}.use=idle" for number in range(count)))


def plugins(count: int) -> Contestant:
    return ganfw_run(f"{count:,}", environment=with_plugins(count))


AXES: dict[str, tuple[str, Callable[[int], Contestant], Sequence[int]]] = {
    "batch_size": ("run.batch_size", setting("run.batch_size={}"), (16, 64, 128, 256, 1024, 4096)),
    "z_dim": ("noise.z_dim", setting("noise.z_dim={}"), (16, 64, 256, 1024)),
    "hidden_dim": (
        "hidden_dim of both networks",
        setting("generator.hidden_dim={}", "discriminator.hidden_dim={}"),
        (16, 64, 128, 256, 512),
    ),
    "callbacks": ("callbacks beside the default ones", callbacks, (0, 10, 100)),
    "plugins": ("plugins installed", plugins, (0, 20, 200)),
    "data_size": ("images", setting("data.use=random_images", "data.size={}"), (6_000, 60_000, 600_000)),
}


def grow(axis: str, rounds: int, seconds: float) -> None:
    """Print the table of one axis."""
    title, contestant, values = AXES[axis]
    contestants = [contestant(value) for value in values]
    interleave(contestants, rounds, seconds=seconds)
    print(f"\n| {title} | ms/step, median (lowest-highest) | times the first | peak MiB |\n|---|---|---|---|")
    for each in contestants:
        print(f"| {each.name} | {milliseconds(each)} | {ratio(contestants[0], each)} | {each.peak_mib:.0f} |")


def last(steps: int) -> None:
    """Print the memory after each tenth of many steps, held still there."""
    columns = []
    for each in (ganfw_run("small networks", *SMALL), ganfw_run("mnist_mlp")):
        each.start()
        sizes = []
        for _ in range(10):
            each.train(steps // 10)
            sizes.append(resident_mib(each.process.pid))
        each.end()
        columns.append(sizes)
    print("\n| steps | MiB, small networks | MiB, mnist_mlp |\n|---|---|---|")
    for number, sizes in enumerate(zip(*columns, strict=True), 1):
        print(f"| {number * steps // 10:,} | {' | '.join(f'{size:.1f}' for size in sizes)} |")
    growth = [f"{sizes[-1] / sizes[0] - 1:+.2%}" for sizes in columns]
    print(f"| growth from the first to the last | {' | '.join(growth)} |")


@click.command()
@click.argument("names", nargs=-1, type=click.Choice([*AXES, "memory"]))
@click.option("--rounds", default=3, show_default=True)
@click.option("--seconds", default=5.0, show_default=True, help="About how long a configuration trains in a round.")
@click.option("--steps", default=10_000, show_default=True, help="Steps over which memory is watched.")
def main(names: tuple[str, ...], rounds: int, seconds: float, steps: int) -> None:
    """Print the tables NAMES, or all."""
    for name in names or (*AXES, "memory"):
        if name == "memory":
            last(steps)
        else:
            grow(name, rounds, seconds)


if __name__ == "__main__":
    main()
