"""The shipped recipes: files beside this one in an installed package, and of `recipes/` in a checkout."""

from importlib.resources.abc import Traversable, TraversableResources
from pathlib import Path

_HERE = Path(__file__).parent


class _Recipes(TraversableResources):
    """Lets `importlib.resources` find the recipes of a checkout, which has them where people look for them."""

    def files(self) -> Traversable:
        return _HERE if any(_HERE.glob("*.toml")) else _HERE.parents[1] / "recipes"


if __spec__.loader is not None:
    __spec__.loader.get_resource_reader = lambda _name: _Recipes()  # type: ignore[attr-defined]
