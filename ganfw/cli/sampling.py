"""`ganfw sample` and `ganfw interpolate`: pictures and numbers from a trained generator."""

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganfw.cli import options
from ganfw.errors import InputError
from ganfw.files import number_in_name
from ganfw.plugins.registry import Registry
from ganfw.terminal import say, say_table

if TYPE_CHECKING:
    from torch import Tensor

    from ganfw.run.manifest import Manifest

PICTURES = (".png",)
ANIMATIONS = (".gif", ".webp", ".mp4")
MOST_NUMBERS = 100_000
"""An option does not list more seeds or classes than this."""
MOST_DIGITS = 18
"""Longer numbers do not fit into int64."""
COLUMNS = 10
"""How many images a row of pairs has at most."""

class_option = click.option(
    "--class", "--classes", "classes", metavar="C,C", help="The classes to draw in turn, for a conditional generator."
)


@click.command(short_help="Draw samples from a run: a picture, or numbers.")
@click.option("-n", "--count", type=int, default=25, show_default=True, help="How many samples.")
@click.option(
    "--input",
    "inputs",
    type=options.path_type,
    metavar="FILE",
    help="Images to translate: a .npy file, a picture, or a folder. A .png shows each above its translation.",
)
@options.set_option("the sampler: --set sampler.use=translation")
@click.option("--seeds", metavar="A-B,S", help="One sample for each of these seeds, instead of -n and --seed.")
@class_option
@options.output_option("A .png grid, .npy with the numbers, or a folder for one .png each.", "PLACE")
@options.of_samples
def sample(
    run_directory: Path,
    count: int,
    inputs: Path | None,
    overrides: tuple[str, ...],
    seeds: str | None,
    classes: str | None,
    truncation: float | None,
    seed: int | None,
    batch_size: int | None,
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
    words = [f"truncation-{number_in_name(truncation)}"] if truncation is not None else []
    words += [f"class-{classes}"] if classes is not None else []
    checkpoint, source = options.read_run(run_directory, lambda each: each.source(registry, device, overrides))
    if seeds is not None and seed is not None:
        raise InputError("--seeds and --seed cannot be used together; leave one out")
    drawn = [checkpoint.manifest.seed if seed is None else seed] if seeds is None else _numbers("--seeds", seeds)
    named = f"seed-{drawn[0]}" if seeds is None else f"seeds-{seeds}"
    output = _place(checkpoint.manifest, output, (*PICTURES, ".npy", ""), named, *words)

    import torch

    from ganfw.data import Batch
    from ganfw.images import read_images

    given = None if inputs is None else Batch(read_images(inputs, checkpoint.manifest.sample_shape))
    if given is not None and seeds is not None:
        raise InputError(
            "--seeds and --input cannot be used together, because each input gives one sample; leave one out"
        )
    each = count if given is None else len(given)
    each = each if seeds is None else 1
    labels = _labels(classes, each * len(drawn))
    samples = torch.cat(
        [
            source.sample(
                each,
                seed=number,
                truncation=truncation,
                labels=None if labels is None else labels[place * each : (place + 1) * each],
                inputs=given,
                batch_size=batch_size,
            )
            for place, number in enumerate(drawn)
        ]
    )
    if output.suffix == ".png" and given is not None and given.samples.shape[1:] == samples.shape[1:]:
        _write_pairs(output, given.samples, samples)
    elif output.suffix:
        _write(
            output,
            samples,
            captions=_captions([] if seeds is None else drawn, [] if labels is None else labels.tolist()),
        )
    else:
        width = len(str(max(len(samples) - 1, *drawn)))
        numbers = range(len(samples)) if seeds is None else drawn
        _write_folder(output, samples, [f"{'seed-' if seeds else ''}{number:0{width}d}.png" for number in numbers])


@click.command(short_help="Walk between pairs of noise vectors of a run.")
@click.option("--pairs", type=int, default=5, show_default=True, help="How many pairs of noise vectors.")
@click.option("--steps", type=int, help="Images in each walk, with both ends.  [default: 9, in an animation 30]")
@click.option("--fps", type=float, help="Frames a second of an animation.  [default: 15]")
@class_option
@options.output_option("A .png grid, .npy with the numbers, or a .gif, .webp or .mp4 that moves.")
@options.of_samples
def interpolate(
    run_directory: Path,
    pairs: int,
    steps: int | None,
    fps: float | None,
    classes: str | None,
    truncation: float | None,
    seed: int | None,
    batch_size: int | None,
    device: str,
    output: Path | None,
    registry: Registry,
) -> None:
    """Walk between pairs of noise vectors of a RUN: for each pair along a straight line, and below it along the arc.

    A conditional generator keeps one class during a walk. Each pair has the next class of --classes, or of all. A .npy
    file holds (pairs, 2, steps, channels, height, width) float32, linear first, then spherical. An animation shows all
    pairs at once. It moves along the arcs and back, and repeats.
    """
    import torch

    from ganfw.engine.networks import inputs_of
    from ganfw.engine.sampling import draw_noise, each_class_in_turn, generate, interpolate

    if pairs < 1:
        raise InputError(f"the number of pairs must be >= 1, not {pairs}")
    checkpoint, source = options.read_run(run_directory, lambda each: each.source(registry, device))
    seed = checkpoint.manifest.seed if seed is None else seed
    output = _place(checkpoint.manifest, output, (*PICTURES, ".npy", *ANIMATIONS), f"seed-{seed}", "interpolation")
    moves = output.suffix in ANIMATIONS
    if fps is not None and not (moves and 0 < fps <= 60):
        raise InputError(f"--fps {fps:g}: it is for a .gif, .webp or .mp4, and must be at most 60")
    steps = steps if steps is not None else 30 if moves else 9
    if source.noise is None or "generator" not in source.networks:
        raise InputError(f"{run_directory}: its recipe has no generator with noise to walk through; choose another run")
    generator = source.networks["generator"]
    ends = draw_noise(source.noise, 2 * pairs, seed=seed, truncation=truncation)
    ways = [interpolate(ends[:pairs], ends[pairs:], steps, method) for method in ("linear", "spherical")]
    z = torch.stack(ways, dim=1)  # (pairs, 2, steps, z_dim)
    labels = _labels(classes, pairs)
    if labels is None and "labels" in inputs_of(generator):
        num_classes = getattr(generator, "num_classes", None)
        if not isinstance(num_classes, int):
            raise InputError(f"{run_directory}: its generator takes labels that are not classes; choose another run")
        labels = each_class_in_turn(num_classes, pairs)
    along = None if labels is None else labels.repeat_interleave(2 * steps)
    rows = source.batch_size if batch_size is None else batch_size
    samples = generate(generator, z.flatten(0, 2), labels=along, batch_size=rows).unflatten(0, z.shape[:3])
    if moves:
        from ganfw.images import image_grid, write_animation

        forth = [image_grid(samples[:, 1, step]) for step in range(steps)]
        write_animation(output, torch.stack([*forth, *forth[-2:0:-1]]), fps or 15)
        say(output)
    else:
        _write(output, samples, steps)


@click.command(short_help="Find the noise from which a run makes given images.")
@options.run_argument
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=options.path_type)
@click.option("--steps", type=int, default=500, show_default=True, help="Steps of the search, for all images at once.")
@click.option("--seed", type=int, metavar="S", help="The seed of the first vectors; by default that of the run.")
@class_option
@options.output_option("A .png with pairs of rows, given above and found below, or .npy with the noise.")
@options.device_option
@options.with_registry
def invert(
    run_directory: Path,
    images: tuple[Path, ...],
    steps: int,
    seed: int | None,
    classes: str | None,
    output: Path | None,
    device: str,
    registry: Registry,
) -> None:
    """Find the noise from which a RUN makes each IMAGE: a picture, a folder of pictures, or a .npy file.

    Prints the error of each image that was found: the mean squared difference of values in [0, 1]. A .npy file holds
    (count, z_dim) float32.
    """
    import torch

    from ganfw.engine.inversion import invert as find
    from ganfw.engine.networks import inputs_of
    from ganfw.engine.sampling import generate
    from ganfw.images import read_images

    checkpoint, source = options.read_run(run_directory, lambda each: each.source(registry, device))
    seed = checkpoint.manifest.seed if seed is None else seed
    output = _place(checkpoint.manifest, output, (*PICTURES, ".npy"), f"seed-{seed}", "inversion")
    if source.noise is None or "generator" not in source.networks:
        raise InputError(f"{run_directory}: its recipe has no generator with noise to find; choose another run")
    generator = source.networks["generator"]
    given = torch.cat([read_images(path, checkpoint.manifest.sample_shape) for path in images])
    labels = _labels(classes, len(given))
    if labels is None and "labels" in inputs_of(generator):
        raise InputError("this generator is conditional: name the classes of the images: --classes 3,7")
    z, errors = find(generator, source.noise, given, labels=labels, seed=seed, steps=steps)
    if output.suffix == ".png":
        found = generate(generator, z.to(source.noise.device), labels=labels, batch_size=source.batch_size)
        _write_pairs(output, given, found)
    else:
        _write(output, z)
    say_table([("image", "difference"), *((str(row + 1), f"{error:.4f}") for row, error in enumerate(errors.tolist()))])


def _place(manifest: "Manifest", output: Path | None, endings: Sequence[str], *words: str) -> Path:
    """Return where to write: by default a picture named after the checkpoint and the words.

    Args:
        manifest: of the checkpoint.
        output: what was asked for.
        endings: what its name may end in; `""` stands for a folder.
        words: for the name.
    """
    output = output or Path("-".join([f"{manifest.name}-step-{manifest.step:06d}", *words]) + ".png")
    if output.suffix not in endings:
        known = [each for each in endings if each]
        folder = ", or be that of a folder, without an ending" if "" in endings else ""
        raise InputError(f"-o {output}: the name must end in {', '.join(known[:-1])} or {known[-1]}{folder}")
    if re.search(r"%\d*d", output.name):
        hint = f"; for a file each, give a folder: -o {output.stem.partition('%')[0].rstrip('-_') or 'samples'}"
        raise InputError(
            f"-o {output}: all samples go into one file, so leave the number out{hint if '' in endings else ''}"
        )
    if output.suffix:
        options.require_place(output)
        return output
    options.require_free_folder(output)
    return output


def _numbers(option: str, text: str) -> list[int]:
    """Return the numbers of `"0-9,12"`, each once."""
    found: list[int] = []
    for word in text.split(","):
        first, dash, last = word.strip().partition("-")
        last = last if dash else first
        if not all(each.isdecimal() and len(each) <= MOST_DIGITS for each in (first, last)) or int(first) > int(last):
            raise InputError(f"{option} {text}: write numbers with commas between them, or ranges: 0-9,12")
        if len(found) + int(last) - int(first) >= MOST_NUMBERS:
            raise InputError(f"{option} {text}: more than {MOST_NUMBERS:,} numbers; give fewer")
        found += range(int(first), int(last) + 1)
    return list(dict.fromkeys(found))


def _labels(classes: str | None, count: int) -> "Tensor | None":
    """Return `(count,)` int64: the classes that are asked for, in turn; None where none are."""
    import torch

    if classes is None:
        return None
    numbers = torch.tensor(_numbers("--classes", classes), dtype=torch.int64)
    return numbers[torch.arange(count) % len(numbers)]


def _captions(seeds: Sequence[int], classes: Sequence[int]) -> list[str]:
    """Return what stands below each image: its seed, its class, or both."""
    if seeds and classes:
        return [f"seed {seed}, {each}" for seed, each in zip(seeds, classes, strict=True)]
    return [f"seed {seed}" for seed in seeds] or [f"class {each}" for each in classes]


def _write_pairs(output: Path, given: "Tensor", made: "Tensor") -> None:
    """Write a picture of pairs of rows, images that were given and below each what was made of it, and print where."""
    import torch

    from ganfw.images import image_grid, write_png

    columns = min(COLUMNS, len(given))
    rows = [row for pair in zip(given.split(columns), made.split(columns), strict=True) for row in pair]
    full = [torch.cat([row, row.new_zeros(columns - len(row), *row.shape[1:])]) for row in rows]
    write_png(output, image_grid(torch.cat(full), columns))
    say(output)


def _write_folder(output: Path, samples: "Tensor", names: Sequence[str]) -> None:
    """Write each image as a picture of its own size into a folder, and print where."""
    from ganfw.files import write_folder
    from ganfw.images import require_images, to_png, to_uint8

    require_images(samples)
    write_folder(output, ((name, to_png(to_uint8(image))) for name, image in zip(names, samples, strict=True)))
    say(output)


def _write(output: Path, samples: "Tensor", columns: int | None = None, captions: Sequence[str] = ()) -> None:
    """Write a picture of `(..., channels, height, width)` images, or any samples as numbers, and print where."""
    from ganfw.files import write_atomically
    from ganfw.images import image_grid, write_png

    if output.suffix == ".png":
        images = samples if columns is None else samples.flatten(0, 2)
        write_png(output, image_grid(images, columns, captions=captions))
    else:
        import numpy as np

        buffer = io.BytesIO()
        np.save(buffer, samples.numpy(), allow_pickle=False)
        write_atomically(output, buffer.getvalue())
    say(output)
