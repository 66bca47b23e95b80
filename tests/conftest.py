"""Fixtures that many tests share."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import settings

import ganfw
from ganfw import InputError, Recipe, Registry
from ganfw.engine.precision import require_precision
from ganfw.recipe.tables import DEFAULT_TABLES

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytest_plugins = ["ganfw.testing.devices"]

ALONE = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""What keeps a browser from asking anything of the network by itself."""


settings.register_profile("without deadlines", settings(), deadline=None)  # a busy machine is not a fault
settings.load_profile("without deadlines")


@pytest.fixture(autouse=True)
def bfloat16_where_there_is_some(request: pytest.FixtureRequest) -> None:
    """Skip what computes in bfloat16 where the device does not."""
    if request.node.get_closest_marker("bf16"):
        try:
            require_precision("bf16", request.getfixturevalue("device"))
        except InputError as error:
            pytest.skip(str(error))


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
def tiny(device: torch.device) -> Recipe:
    """Return the reference recipe with small networks, less data and few steps: a run takes half a second."""
    return Recipe(
        name="tiny",
        extends="mnist_mlp",
        run={"batch_size": 32, "log_every_steps": 4, "max_steps": 10, "device": str(device)},
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


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Start the system's Chromium with an empty profile; without it tests are skipped, or fail where `CI` is true."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        program = None
    if program is None:
        refuse = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        refuse("needs Chromium, and: pip install 'ganfw[browser]'")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ALONE)
        yield browser
        browser.close()
