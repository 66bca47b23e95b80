"""What recipes for colour images at 64 pixels take: processor time, memory, page faults; compiled or not.

    python benchmarks/colour.py                     # all four
    python benchmarks/colour.py images_dcgan_64     # one

They need the packages ganfw-conv, ganfw-datasets and ganfw-augment. The images are random, and the networks have a
quarter of the recipes' widths. The ways to train a recipe take turns. With OMP_NUM_THREADS=1 processor time can be
compared on a machine that does other things too. Linux only.
"""

import statistics
from collections.abc import Sequence

import click
from interleave import Contestant, ganfw_run, interleave

NARROW = {
    "images_dcgan_64": ("base_channels=32",),
    "images_resnet_64": ("channels=32",),
    "images_r3gan_64": ("base_channels=48", "max_channels=96"),
    "images_style_64": ("base_channels=64", "most_channels=128"),
}
"""A quarter of the widths, for both networks."""
WAYS = {"not compiled": "run.compile=false", "compiled": "run.compile=true"}
PERIOD = 16
"""Steps in which lazy regularizers are computed as often as they are on average."""


def contestant(recipe: str, way: str, batch_size: int) -> Contestant:
    """Return a contestant that trains a recipe in one of the ways."""
    widths = [f"{network}.{key}" for network in ("generator", "discriminator") for key in NARROW[recipe]]
    data = ["data.use=random_images", "data.size=1000", "data.channels=3", "data.side=64"]
    return ganfw_run(way, *widths, *data, f"run.batch_size={batch_size}", WAYS[way], recipe=recipe)


def spread(values: Sequence[float]) -> str:
    """Return the median, the lowest and the highest, as text."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


@click.command()
@click.argument("recipes", nargs=-1, type=click.Choice([*NARROW]))
@click.option("--rounds", default=3, show_default=True)
@click.option("--batch-size", default=16, show_default=True)
@click.option(
    "--way", "ways", multiple=True, type=click.Choice([*WAYS]), help="Only this way to train; may be repeated."
)
def main(recipes: tuple[str, ...], rounds: int, batch_size: int, ways: tuple[str, ...]) -> None:
    """Print a table of RECIPES, or of all."""
    print("| recipe | way | processor s a step, median (lowest-highest) | share | peak MiB | page faults a step |")
    print("|---|---|---|---|---|---|")
    for recipe in recipes or NARROW:
        contestants = [contestant(recipe, way, batch_size) for way in ways or WAYS]
        interleave(contestants, rounds, PERIOD, warm_up=6, nobody_first=False)
        base = [usage.processor_seconds for usage in contestants[0].usages]
        for each in contestants:
            seconds = [usage.processor_seconds for usage in each.usages]
            ratios = [mine / theirs for mine, theirs in zip(seconds, base, strict=True)]
            minor, major = (
                statistics.median(getattr(usage, name) for usage in each.usages)
                for name in ("minor_faults", "major_faults")
            )
            print(
                f"| `{recipe}` | {each.name} | {spread(seconds)} | {spread(ratios)} | {each.peak_mib:,.0f} | "
                f"{minor:,.0f}, {major:.1f} from disk |",
                flush=True,
            )


if __name__ == "__main__":
    main()
