"""A metric that anyone can check by hand, and recipes that are judged by it."""

from pathlib import Path

import pytest

import ganfw
from ganfw import Judge, Recipe, Registry, ResolvedRecipe

BRIGHTNESS = '''
"""How much brighter samples are than the reference."""

from ganfw import Evidence, Measured, Part, hookimpl


class Brightness:
    """The mean of all samples, less that of the reference."""

    def __call__(self, evidence: Evidence) -> dict[str, Measured]:
        difference = float(evidence.samples.features.mean() - evidence.reference.features.mean())
        return {"brightness": Measured(difference), "brightness_error": Measured(abs(difference), "lower")}


@hookimpl
def ganfw_parts():
    yield Part(kind="metric", name="brightness", target="brightness:Brightness", help="by the mean alone")
'''


@pytest.fixture(scope="session")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of the metric."""
    path = tmp_path_factory.mktemp("script") / "brightness.py"
    path.write_text(BRIGHTNESS)
    return path


@pytest.fixture(scope="session")
def registry(script: Path) -> Registry:
    """Return the registry with the metric in it."""
    return ganfw.discover(scripts=[str(script)])


@pytest.fixture
def tiny(tiny: Recipe) -> Recipe:
    """Return the small recipe, judged by pixels and the one metric."""
    from ganfw.recipe.tables import DEFAULT_TABLES

    dropped = {name: {"enabled": False} for name in DEFAULT_TABLES.get("metrics", {})}
    return Recipe(
        name="tiny",
        extends=tiny,
        embedding={"use": "pixels", "side": 2},
        metrics={**dropped, "brightness": {"use": "brightness"}},
    )


@pytest.fixture
def resolved(tiny: Recipe, registry: Registry) -> ResolvedRecipe:
    """Return the recipe, resolved, with all of MNIST."""
    return ganfw.resolve(tiny.with_overrides(["data.split=train"]), registry)


@pytest.fixture
def judge(resolved: ResolvedRecipe) -> Judge:
    """Return its judge."""
    return ganfw.open_judge(resolved, device="cpu")
