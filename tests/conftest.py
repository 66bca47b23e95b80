"""Fixtures that many tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import ganfw
from ganfw import Recipe, Registry
from ganfw.recipe.tables import DEFAULT_TABLES


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Run the small networks of the tests on one thread, where they are fastest; commands that tests start likewise."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep features that tests make in a folder of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANFW_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def registry() -> Registry:
    """Return the registry of this environment."""
    return ganfw.discover()


@pytest.fixture
def tiny() -> Recipe:
    """Return the reference recipe with small networks, less data and few steps: a run takes half a second."""
    return Recipe(
        name="tiny",
        extends="mnist_mlp",
        run={"batch_size": 32, "log_every_steps": 4, "max_steps": 10},
        data={"split": "test"},
        generator={"hidden_dim": 4},
        discriminator={"hidden_dim": 4},
        callbacks={"samples": {"every_steps": 5}, "checkpoint": {"every_steps": 6}},
    )


@pytest.fixture
def trained(tiny: Recipe, registry: Registry, tmp_path: Path) -> Path:
    """Return the run directory of a finished run of `tiny`."""
    experiment = ganfw.assemble(ganfw.resolve(tiny, registry))
    directory = ganfw.create_run_directory(tmp_path / "runs", experiment)
    ganfw.train(experiment, directory=directory)
    return directory


@pytest.fixture(scope="session")
def judging_script() -> Path:
    """Return the file of a metric that can be checked by hand."""
    return Path(__file__).parent / "evaluation" / "brightness.py"


@pytest.fixture(scope="session")
def judging_registry(judging_script: Path) -> Registry:
    """Return the registry with that metric in it."""
    return ganfw.discover(scripts=[judging_script])


@pytest.fixture
def judged(tiny: Recipe) -> Recipe:
    """Return the small recipe, trained on all of MNIST, judged by four pixels and that metric alone."""
    dropped = {name: {"enabled": False} for name in ("classifier_score", *DEFAULT_TABLES["metrics"])}
    return Recipe(
        name="tiny",
        extends=tiny,
        data={"split": "train"},
        embedding={"use": "pixels", "side": 2},
        metrics={**dropped, "brightness": {"use": "brightness"}},
    )


@pytest.fixture
def judged_run(judged: Recipe, judging_registry: Registry, tmp_path: Path) -> Path:
    """Return the run directory of a finished run of it, with checkpoints of steps 6 and 10."""
    experiment = ganfw.assemble(ganfw.resolve(judged, judging_registry))
    directory = ganfw.create_run_directory(tmp_path / "runs", experiment)
    ganfw.train(experiment, directory=directory)
    return directory
