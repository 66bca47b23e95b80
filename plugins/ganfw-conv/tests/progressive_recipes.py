"""A recipe of networks that grow, quick to train."""

import ganfw
from ganfw.testing import small_recipe


def small_progressive(registry: ganfw.Registry, *overrides: str) -> ganfw.Recipe:
    """Return ganfw's small recipe with small networks that grow, and a mean of the generator's weights."""
    keys = {"base_channels": 2, "most_channels": 4}
    recipe = ganfw.Recipe(
        name="small_progressive",
        extends=small_recipe(registry),
        run={"batch_size": 8},
        generator={"use": "progressive", **keys},
        discriminator={"use": "progressive", **keys},
        step={"use": "progressive"},
        averaging={"generator": {"use": "ema"}},
    )
    return recipe.with_overrides(overrides)
