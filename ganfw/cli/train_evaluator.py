"""`ganfw train-evaluator`: a classifier to evaluate generators of your own data."""

import functools
import shlex
from pathlib import Path

import click

from ganfw.cli.options import device_option, output_option, overrides_option, require_place, with_registry
from ganfw.errors import InputError
from ganfw.plugins.registry import Registry
from ganfw.recipe.document import Recipe
from ganfw.recipe.resolution import resolve
from ganfw.terminal import say


@click.command("train-evaluator", short_help="Train a classifier, to evaluate generators with its features.")
@click.argument("recipe")
@overrides_option
@click.option("--epochs", type=int, default=10, show_default=True, help="How many passes over the data.")
@click.option("--seed", type=int, default=0, show_default=True, metavar="S", help="The seed of all random numbers.")
@device_option
@output_option("Where to write it: a .safetensors file.")
@with_registry
def train_evaluator(
    recipe: str,
    overrides: tuple[str, ...],
    epochs: int,
    seed: int,
    device: str,
    output: Path | None,
    registry: Registry,
) -> None:
    """Train a classifier on the labelled images of a RECIPE's data, for the features of evaluations.

    The accuracy is measured on the test images of the data. Without test images, every tenth image is kept for this. To
    use the file, write embedding.use = "classifier" and embedding.weights = FILE into a recipe.
    """
    resolved = resolve(Recipe.load(recipe, registry).with_overrides(overrides), registry, only=["data"])
    output = output or Path(f"{resolved.parts['data'].part.name}-classifier.safetensors")
    if output.suffix != ".safetensors":
        raise InputError(f"-o {output}: the name must end in .safetensors")
    require_place(output)

    from ganfw.engine.device import choose_device
    from ganfw.evaluation.assembly import open_labelled
    from ganfw.evaluation.classifier import train_classifier
    from ganfw.files import write_atomically

    training, test = open_labelled(resolved)
    tell = functools.partial(say, err=True)
    tell(f"{len(training):,} images to learn from, {len(test):,} to measure on")
    trained = train_classifier(training, test, epochs=epochs, seed=seed, device=choose_device(device), say=tell)
    write_atomically(output, trained.to_bytes())
    say(output)
    use = f"--set embedding.use=classifier --set embedding.weights={shlex.quote(str(output))}"
    tell(f"use it: ganfw evaluate RUN {use}")
