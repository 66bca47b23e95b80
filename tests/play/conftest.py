"""Runs to play with, and a real server for them."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ganfw
from ganfw import Recipe, Registry
from ganfw.play.runs import Models, PlayedRun
from ganfw.play.serving import Playground, open_playground

TESTS = Path(__file__).parents[1]
SMALL = {
    "run": {"device": "cpu", "batch_size": 32, "max_steps": 10, "epochs": 1},
    "generator": {"hidden_dim": 16},
    "discriminator": {"hidden_dim": 4},
    "callbacks": {"samples": {"enabled": False}, "checkpoint": {"every_steps": 5}},
}

Train = Callable[..., Path]
Serve = Callable[..., Playground]


@pytest.fixture(scope="session", autouse=True)
def own_parts() -> Iterator[None]:
    """Leave other packages out, in what is run as a page says too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANFW_PLUGINS", "")
        yield


@pytest.fixture(scope="session")
def parts() -> Registry:
    """Return a registry with a conditional generator, a translation, and data that the page cannot draw."""
    own = [Path(__file__).with_name(name) for name in ("translation.py", "vectors.py")]
    return ganfw.discover(scripts=[TESTS / "further_parts.py", *own])


@pytest.fixture(scope="session")
def train(parts: Registry) -> Train:
    """Return a function that trains a small run: what it is called, the recipe, the folder, and tables."""

    def train_run(name: str, extends: str | None, out: Path, **tables: Any) -> Path:
        recipe = Recipe(name=name, extends=extends, **{**(SMALL if extends else {}), **tables})
        experiment = ganfw.assemble(ganfw.resolve(recipe, parts))
        directory = ganfw.create_run_directory(out, experiment)
        ganfw.train(experiment, directory=directory)
        return directory

    return train_run


@pytest.fixture(scope="session")
def digits(train: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run of small MNIST networks with checkpoints at steps 5 and 10; it must not be changed."""
    return train("digits", "mnist_mlp", tmp_path_factory.mktemp("digits"), data={"split": "test"})


@pytest.fixture(scope="session")
def classes(train: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run of a conditional generator with 48 dimensions of noise."""
    out, labelled = tmp_path_factory.mktemp("classes"), {"use": "labelled", "hidden_dim": 8}
    tables = {"noise": {"z_dim": 48}, "generator": labelled, "discriminator": labelled}
    return train("classes", "mnist_mlp", out, data={"split": "test"}, **tables)


@pytest.fixture(scope="session")
def ring(train: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run whose samples are points."""
    return train("ring", "ring_mlp", tmp_path_factory.mktemp("ring"))


@pytest.fixture(scope="session")
def translations(train: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run whose samples are made from inputs."""
    tables = {
        name: {"use": part} for name, part in {"data": "pairs", "generator": "translator", "step": "copy"}.items()
    }
    tables |= {"sampler": {"use": "translation"}, "optimizer": {"generator": {"use": "adam"}}}
    run = {"device": "cpu", "max_steps": 1}
    return train("translations", None, tmp_path_factory.mktemp("translations"), format=1, run=run, **tables)


@pytest.fixture
def played(parts: Registry) -> Callable[[Path], PlayedRun]:
    """Return a function that opens a run."""
    return lambda path: PlayedRun(path, parts, "cpu", Models())


@contextlib.contextmanager
def serving(registry: Registry, *paths: Path) -> Iterator[Playground]:
    """Serve runs on a free port; in the end the server has stopped."""
    models = Models()
    playground = open_playground([PlayedRun(path, registry, "cpu", models) for path in paths])
    thread = threading.Thread(target=playground.serve, daemon=True)
    thread.start()
    yield playground
    playground.stop()
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture(scope="session")
def playground(parts: Registry, digits: Path) -> Iterator[Playground]:
    """Return a server of the run of digits."""
    with serving(parts, digits) as playground:
        yield playground


@pytest.fixture
def serve(parts: Registry) -> Iterator[Serve]:
    """Return a function that serves runs until the test ends."""
    with contextlib.ExitStack() as stack:
        yield lambda *paths: stack.enter_context(serving(parts, *paths))


@pytest.fixture
def serve_best_of_two(digits: Path) -> Iterator[Playground]:
    """Return a server of the run of digits with a sampler of a script."""
    registry = ganfw.discover(scripts=[TESTS / "cli" / "best_of_two.py"])
    with serving(registry, digits) as playground:
        yield playground
