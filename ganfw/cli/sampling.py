"""`ganfw sample` and `ganfw interpolate`: pictures and numbers from a trained generator."""

import functools
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganfw.cli.options import device_option, require_place, with_registry
from ganfw.errors import InputError
from ganfw.plugins.registry import Registry
from ganfw.terminal import say

if TYPE_CHECKING:
    from torch import Tensor

    from ganfw.run.load import Checkpoint

truncation_option = click.option(
    "--truncation",
    type=float,
    metavar="T",
    help="Keep every noise coordinate within [-T, T]: smaller is more faithful and less diverse.",
)
batch_size_option = click.option(
    "--batch-size",
    type=int,
    default=512,
    show_default=True,
    help="How many go through the generator at once: bounds the memory, changes no image.",
)
_SHARED = (
    click.option("--class", "label", type=int, metavar="C", help="Samples of this class, of a conditional generator."),
    truncation_option,
    click.option(
        "--seed",
        type=int,
        metavar="S",
        help="Which samples; by default the run's own seed, as in its sample grids.",
    ),
    batch_size_option,
    device_option,
    click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="A .png grid, or .npy with the numbers.",
    ),
    with_registry,
)


def _shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the argument and the options that both commands have."""
    return functools.reduce(lambda decorated, option: option(decorated), reversed(_SHARED), command)


@click.command(short_help="Draw samples from a run: a picture, or numbers.")
@click.argument("run_directory", metavar="RUN", type=click.Path(path_type=Path))
@click.option("-n", "--count", type=int, default=25, show_default=True, help="How many samples.")
@click.option(
    "--input",
    "inputs",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Images to translate: a .npy file, a picture, or a folder of pictures.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change the sampler: --set sampler.use=translation. Repeatable.",
)
@_shared_options
def sample(
    run_directory: Path,
    count: int,
    inputs: Path | None,
    overrides: tuple[str, ...],
    label: int | None,
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
    for override in overrides:
        if not override.strip().startswith("sampler."):
            raise InputError(f"--set {override}: sampling may change the sampler, and nothing else")
    checkpoint = open_run(run_directory)
    seed = checkpoint.manifest.seed if seed is None else seed
    name = f"{checkpoint.manifest.name}-step-{checkpoint.manifest.step:06d}-seed-{seed}"
    name += f"-truncation-{truncation:g}" if truncation is not None else ""
    name += f"-class-{label}" if label is not None else ""
    output = _checked(output or Path(f"{name}.png"))
    source = checkpoint.source(registry, device, overrides)

    from ganfw.data import Batch
    from ganfw.images import read_images

    given = None if inputs is None else Batch(read_images(inputs, checkpoint.manifest.sample_shape))
    samples = source.sample(
        count if given is None else len(given),
        seed=seed,
        truncation=truncation,
        labels=_labels(label, count),
        inputs=given,
        batch_size=batch_size,
    )
    _write(output, samples, None, samples)


@click.command(short_help="Walk between pairs of noise vectors of a run.")
@click.argument("run_directory", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--pairs", type=int, default=5, show_default=True, help="How many pairs of noise vectors.")
@click.option("--steps", type=int, default=9, show_default=True, help="Images on each way, ends included.")
@_shared_options
def interpolate(
    run_directory: Path,
    pairs: int,
    steps: int,
    label: int | None,
    truncation: float | None,
    seed: int | None,
    batch_size: int,
    device: str,
    output: Path | None,
    registry: Registry,
) -> None:
    """Walk between pairs of noise vectors of a RUN: for each pair a straight line, and below it the arc.

    A conditional generator keeps one class along a walk: that of --class, or each class in turn, a pair each. A .npy
    file holds (pairs, 2, steps, channels, height, width) float32, linear first, then spherical.
    """
    import torch

    from ganfw.engine.networks import inputs_of
    from ganfw.engine.sampling import draw_noise, each_class_in_turn, generate, interpolate

    if pairs < 1:
        raise InputError(f"the number of pairs must be >= 1, not {pairs}")
    checkpoint = open_run(run_directory)
    seed = checkpoint.manifest.seed if seed is None else seed
    output = _checked(
        output or Path(f"{checkpoint.manifest.name}-step-{checkpoint.manifest.step:06d}-seed-{seed}-interpolation.png")
    )
    source = checkpoint.source(registry, device)
    if source.noise is None or "generator" not in source.networks:
        raise InputError(f"{run_directory}: its recipe has no generator with noise to walk through")
    generator = source.networks["generator"]
    ends = draw_noise(source.noise, 2 * pairs, seed=seed, truncation=truncation)
    ways = [interpolate(ends[:pairs], ends[pairs:], steps, method) for method in ("linear", "spherical")]
    z = torch.stack(ways, dim=1)  # (pairs, 2, steps, z_dim)
    labels = _labels(label, pairs)
    if labels is None and "labels" in inputs_of(generator) and isinstance(generator.num_classes, int):
        labels = each_class_in_turn(generator.num_classes, pairs)
    along = None if labels is None else labels.repeat_interleave(2 * steps)
    samples = generate(generator, z.flatten(0, 2), labels=along, batch_size=batch_size)
    _write(output, samples, steps, samples.unflatten(0, z.shape[:3]))


def _labels(label: int | None, count: int) -> "Tensor | None":
    import torch

    return None if label is None else torch.full((count,), label, dtype=torch.int64)


def open_run(path: Path) -> "Checkpoint":
    """Open a checkpoint, saying which damaged ones were passed over."""
    from ganfw.run.load import open_checkpoint

    checkpoint = open_checkpoint(path)
    for reason in checkpoint.skipped:
        say(f"passed over a damaged checkpoint: {reason}", err=True)
    return checkpoint


def _checked(output: Path) -> Path:
    if output.suffix not in (".png", ".npy"):
        raise InputError(f"-o {output}: the name must end in .png, for a picture, or .npy, for numbers")
    require_place(output)
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
    say(output)
