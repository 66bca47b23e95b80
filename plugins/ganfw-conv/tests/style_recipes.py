"""A recipe of style-based networks that is quick to train."""

import ganfw
from ganfw.testing import small_recipe


def small_style(registry: ganfw.Registry, *overrides: str) -> ganfw.Recipe:
    """Return ganfw's small recipe with small networks of this package, which draw nothing unless they are told to."""
    recipe = ganfw.Recipe(
        name="small_style",
        extends=small_recipe(registry),
        run={"batch_size": 8},
        generator={"use": "style", "base_channels": 2, "most_channels": 4, "mixing": 0.0, "inject_noise": False},
        discriminator={"use": "style", "base_channels": 2, "most_channels": 4},
    )
    return recipe.with_overrides(overrides)
