"""`ganfw check` and `ganfw show`: is a recipe right, and what does it amount to?"""

import click

from ganfw.cli.options import overrides_option, with_registry
from ganfw.errors import GanfwError
from ganfw.plugins.registry import Registry
from ganfw.recipe.document import Recipe
from ganfw.recipe.resolution import resolve
from ganfw.terminal import say


@click.command(short_help="Check recipes and tell every problem.")
@click.argument("recipes", nargs=-1, required=True, metavar="RECIPE...")
@overrides_option
@with_registry
def check(recipes: tuple[str, ...], overrides: tuple[str, ...], registry: Registry) -> None:
    """Check recipes, files or names, and tell every problem. Only the parts they name are imported."""
    failures = []
    for source in recipes:
        try:
            resolve(Recipe.load(source, registry).with_overrides(overrides), registry)
        except GanfwError as error:
            failures.append(str(error))
        else:
            say(f"{source}: right")
    if failures:
        raise GanfwError("\n\n".join(failures))


@click.command(short_help="Print a recipe with every default filled in.")
@click.argument("recipe")
@overrides_option
@with_registry
def show(recipe: str, overrides: tuple[str, ...], registry: Registry) -> None:
    """Print a recipe with all it extends and every default filled in, and where each value comes from."""
    resolved = resolve(Recipe.load(recipe, registry).with_overrides(overrides), registry)
    say(resolved.to_toml().removesuffix("\n"))
