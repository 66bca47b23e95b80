"""`ganfw check` and `ganfw show`: is a recipe right, and what does it amount to?"""

import click

from ganfw.cli.options import overrides_option, with_registry
from ganfw.errors import GanfwError, PartFailure
from ganfw.plugins.registry import Registry
from ganfw.recipe.document import Recipe
from ganfw.recipe.resolution import resolve
from ganfw.recipe.resolved import ResolvedRecipe
from ganfw.terminal import say


@click.command(short_help="Check recipes and print every problem.")
@click.argument("recipes", nargs=-1, required=True, metavar="RECIPE...")
@overrides_option
@click.option("--build", is_flag=True, help="Also build every part, including the data, and try them on a small batch.")
@with_registry
def check(recipes: tuple[str, ...], overrides: tuple[str, ...], build: bool, registry: Registry) -> None:
    """Check recipes, files or names, and report every problem. Only the parts they name are imported.

    Nothing is written. Without --build, the data is not read and no network is built.
    """
    failures = []
    for source in recipes:
        try:
            resolved = resolve(Recipe.load(source, registry).with_overrides(overrides), registry)
            if build:
                _try(resolved)
        except (GanfwError, PartFailure) as error:
            failures.append(str(error))
            continue
        say(f"{source}: right")
        if "embedding" not in resolved.parts:
            say("  it cannot be evaluated until an [embedding] is chosen: ganfw parts embedding", err=True)
    if failures:
        raise GanfwError("\n\n".join(failures))
    if not build:
        say("not checked: the data, and whether parts can be built and fit; use --build for this", err=True)


def _try(resolved: ResolvedRecipe) -> None:
    """Put an experiment together, which tries its parts on a small batch."""
    from ganfw.run.assembly import assemble

    assemble(resolved)


@click.command(short_help="Print a recipe with every default.")
@click.argument("recipe")
@overrides_option
@with_registry
def show(recipe: str, overrides: tuple[str, ...], registry: Registry) -> None:
    """Print a recipe, merged with what it extends, with every default and the origin of each value."""
    resolved = resolve(Recipe.load(recipe, registry).with_overrides(overrides), registry)
    say(resolved.to_toml().removesuffix("\n"))
