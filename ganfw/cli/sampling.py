"""`ganfw sample` and `ganfw interpolate`: pictures and numbers from a trained generator."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganfw.cli.options import device_option, with_registry
from ganfw.errors import InputError
from ganfw.plugins.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

    from ganfw.run.load import Checkpoint

truncation_option = click.option(
    "--truncation",
    type=float,
    metavar="T",
    help="Keep every noise coordinate within [-T, T]: smaller is more faithful and less diverse.",
)
seed_option = click.option(
    "--seed",
    type=int,
    metavar="S",
    help="Which samples; by default the run's own seed, as in its sample grids.",
)
batch_size_option = click.option(
    "--batch-size",
    type=int,
    default=512,
    show_default=True,
    help="How many go through the generator at once: bounds the memory, changes no image.",
)


@click.command(short_help="Draw samples from a run: a picture, or numbers.")
@click.argument("run_directory", metavar="RUN", type=click.Path(path_type=Path))
@click.option("-n", "--count", type=int, default=25, show_default=True, help="How many samples.")
@truncation_option
@seed_option
@batch_size_option
@device_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A .png grid, or .npy with the numbers.",
)
@with_registry
def sample(
    run_directory: Path,
    count: int,
    truncation: float | None,
    seed: int | None,
    batch_size: int,
    device: str,
    output: Path | None,
    registry: Registry,
) -> None:
    """Draw samples from a RUN, a run directory or one of its checkpoints.

    A .npy file holds (count, channels, height, width) float32, images in [0, 1].
    """
    from ganfw.engine.sampling import sample

    checkpoint = _open(run_directory)
    generator, noise = checkpoint.load_sampler(registry, device)
    seed = checkpoint.manifest.seed if seed is None else seed
    name = f"{checkpoint.manifest.name}-step-{checkpoint.manifest.step:06d}-seed-{seed}"
    if truncation is not None:
        name += f"-truncation-{truncation:g}"
    output = _checked(output or Path(f"{name}.png"))
    samples = sample(generator, noise, count, seed=seed, truncation=truncation, batch_size=batch_size)
    _write(output, samples, None, samples)


@click.command(short_help="Walk between pairs of noise vectors of a run.")
@click.argument("run_directory", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--pairs", type=int, default=5, show_default=True, help="How many pairs of noise vectors.")
@click.option("--steps", type=int, default=9, show_default=True, help="Images on each way, ends included.")
@truncation_option
@seed_option
@batch_size_option
@device_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A .png grid, or .npy with the numbers.",
)
@with_registry
def interpolate(
    run_directory: Path,
    pairs: int,
    steps: int,
    truncation: float | None,
    seed: int | None,
    batch_size: int,
    device: str,
    output: Path | None,
    registry: Registry,
) -> None:
    """Walk between pairs of noise vectors of a RUN: for each pair a straight line, and below it the arc.

    A .npy file holds (pairs, 2, steps, channels, height, width) float32, linear first, then spherical.
    """
    import torch

    from ganfw.engine.sampling import draw_noise, generate, interpolate

    if pairs < 1:
        raise InputError(f"the number of pairs must be >= 1, not {pairs}")
    checkpoint = _open(run_directory)
    generator, noise = checkpoint.load_sampler(registry, device)
    seed = checkpoint.manifest.seed if seed is None else seed
    output = _checked(
        output or Path(f"{checkpoint.manifest.name}-step-{checkpoint.manifest.step:06d}-seed-{seed}-interpolation.png")
    )
    ends = draw_noise(noise, 2 * pairs, seed=seed, truncation=truncation)
    ways = [interpolate(ends[:pairs], ends[pairs:], steps, method) for method in ("linear", "spherical")]
    z = torch.stack(ways, dim=1)  # (pairs, 2, steps, z_dim)
    samples = generate(generator, z.flatten(0, 2), batch_size=batch_size)
    _write(output, samples, steps, samples.unflatten(0, z.shape[:3]))


def _open(path: Path) -> "Checkpoint":
    """Open a checkpoint, saying which damaged ones were passed over."""
    from ganfw.run.load import open_checkpoint

    checkpoint = open_checkpoint(path)
    for reason in checkpoint.skipped:
        click.echo(f"passed over a damaged checkpoint: {reason}", err=True)
    return checkpoint


def _checked(output: Path) -> Path:
    if output.suffix not in (".png", ".npy"):
        raise InputError(f"-o {output}: the name must end in .png, for a picture, or .npy, for numbers")
    return output


def _write(output: Path, images: "Tensor", columns: int | None, array: "Tensor") -> None:
    """Write a picture of the images, or the array, and print where."""
    from ganfw.files import write_atomically
    from ganfw.images import image_grid, write_png

    if output.suffix == ".png":
        write_png(output, image_grid(images, columns))
    else:
        import numpy as np

        buffer = io.BytesIO()
        np.save(buffer, array.numpy(), allow_pickle=False)
        write_atomically(output, buffer.getvalue())
    click.echo(output)
