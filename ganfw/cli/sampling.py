"""`ganfw sample` and `ganfw interpolate`: pictures and numbers from a trained generator."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganfw.cli import options
from ganfw.errors import InputError
from ganfw.plugins.registry import Registry
from ganfw.terminal import say

if TYPE_CHECKING:
    from torch import Tensor

    from ganfw.run.manifest import Manifest

class_option = click.option(
    "--class", "label", type=int, metavar="C", help="Samples of this class, of a conditional generator."
)
output_option = options.output_option("A .png grid, or .npy with the numbers.")


@click.command(short_help="Draw samples from a run: a picture, or numbers.")
@click.option("-n", "--count", type=int, default=25, show_default=True, help="How many samples.")
@click.option(
    "--input",
    "inputs",
    type=options.path_type,
    metavar="FILE",
    help="Images to translate: a .npy file, a picture, or a folder of pictures.",
)
@options.set_option("the sampler: --set sampler.use=translation")
@class_option
@output_option
@options.of_samples
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
    words = [f"truncation-{truncation:g}"] if truncation is not None else []
    words += [f"class-{label}"] if label is not None else []
    checkpoint, source = options.read_run(run_directory, lambda each: each.source(registry, device, overrides))
    seed, output = _seed_and_place(checkpoint.manifest, seed, output, *words)

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
    _write(output, samples)


@click.command(short_help="Walk between pairs of noise vectors of a run.")
@click.option("--pairs", type=int, default=5, show_default=True, help="How many pairs of noise vectors.")
@click.option("--steps", type=int, default=9, show_default=True, help="Images on each way, ends included.")
@class_option
@output_option
@options.of_samples
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
    checkpoint, source = options.read_run(run_directory, lambda each: each.source(registry, device))
    seed, output = _seed_and_place(checkpoint.manifest, seed, output, "interpolation")
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
    _write(output, samples.unflatten(0, z.shape[:3]), steps)


def _seed_and_place(manifest: "Manifest", seed: int | None, output: Path | None, *words: str) -> tuple[int, Path]:
    """Return the seed, and where to write: by default a picture named after the checkpoint, the seed and the words."""
    seed = manifest.seed if seed is None else seed
    name = "-".join([f"{manifest.name}-step-{manifest.step:06d}-seed-{seed}", *words])
    output = output or Path(f"{name}.png")
    if output.suffix not in (".png", ".npy"):
        raise InputError(f"-o {output}: the name must end in .png, for a picture, or .npy, for numbers")
    options.require_place(output)
    return seed, output


def _labels(label: int | None, count: int) -> "Tensor | None":
    import torch

    return None if label is None else torch.full((count,), label, dtype=torch.int64)


def _write(output: Path, samples: "Tensor", columns: int | None = None) -> None:
    """Write a picture of `(..., channels, height, width)` images, or any samples as numbers, and print where."""
    from ganfw.files import write_atomically
    from ganfw.images import image_grid, write_png

    if output.suffix == ".png":
        write_png(output, image_grid(samples if columns is None else samples.flatten(0, 2), columns))
    else:
        import numpy as np

        buffer = io.BytesIO()
        np.save(buffer, samples.numpy(), allow_pickle=False)
        write_atomically(output, buffer.getvalue())
    say(output)
