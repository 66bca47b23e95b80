"""`ganfw reference`: what evaluations compare with, kept in a file."""

import functools
import shlex
from pathlib import Path

import click

from ganfw.cli import options
from ganfw.errors import InputError
from ganfw.plugins.registry import Registry
from ganfw.recipe.document import Recipe
from ganfw.recipe.resolution import resolve
from ganfw.terminal import say


@click.command(short_help="Keep features of real samples, to evaluate with.")
@click.argument("recipe")
@options.set_option("the data or the embedding: --set embedding.use=inception")
@click.option("-n", "--count", type=int, metavar="N", help="How many samples.  [default: all]")
@click.option(
    "--features",
    "kept",
    type=int,
    default=10_000,
    show_default=True,
    metavar="N",
    help="Of how many samples to keep features; 0 keeps only mu and sigma.",
)
@options.device_option
@options.output_option("Where to write it: an .npz file.")
@options.with_registry
def reference(
    recipe: str,
    overrides: tuple[str, ...],
    count: int | None,
    kept: int,
    device: str,
    output: Path | None,
    registry: Registry,
) -> None:
    """Embed the samples of a RECIPE's data, and keep what evaluations compare with.

    The file has the mean (mu) and the covariance (sigma) of the features of all samples, as other programs write them
    for FID, and features for the other metrics. The samples are those that the recipe trains on. For others, change the
    data: --set data.split=test.
    """
    if count is not None and count < 2:
        raise InputError(f"-n {count}: a covariance needs at least 2 samples")
    if kept < 0:
        raise InputError(f"--features {kept}: the number must be >= 0")
    resolved = resolve(Recipe.load(recipe, registry).with_overrides(overrides), registry, only=["data", "embedding"])
    parts = [resolved.parts[name].part.name for name in ("data", "embedding") if name in resolved.parts]
    output = output or Path(f"{'-'.join(parts)}.npz")
    if output.suffix != ".npz":
        raise InputError(f"-o {output}: the name must end in .npz")
    options.require_place(output)

    from ganfw.evaluation.assembly import build_reference
    from ganfw.files import write_atomically

    tell = functools.partial(say, err=True)
    made = build_reference(resolved, device=device, count=count, kept=kept, say=tell)
    write_atomically(output, made.to_bytes())
    say(output)
    tell(
        f"{made.about['count']:,} samples, {len(made.moments.mean):,} dimensions, features of {len(made.features):,}\n"
        f"use it: ganfw evaluate RUN --reference {shlex.quote(str(output))}"
    )
