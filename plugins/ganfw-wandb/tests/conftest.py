"""A recipe that trains in a moment, with the callback, and W&B offline in folders of the tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import ganfw

pytest_plugins = ["ganfw.testing.devices"]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep W&B offline and away from the user's home; its service is one for all tests. Returns the folder."""
    folder = tmp_path_factory.mktemp("wandb")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
            patch.setenv(name, str(folder / name))
        patch.setenv("WANDB_MODE", "offline")
        yield folder


@pytest.fixture(scope="session")
def registry() -> ganfw.Registry:
    return ganfw.discover()


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def small(registry: ganfw.Registry) -> ganfw.Recipe:
    return ganfw.Recipe(
        name="small",
        extends=ganfw.Recipe.load("mnist_mlp", registry),
        run={"batch_size": 16, "log_every_steps": 2, "device": "cpu"},
        data={"split": "test"},
        generator={"hidden_dim": 4},
        discriminator={"hidden_dim": 4},
        callbacks={
            "checkpoint": {"every_steps": 4},
            "samples": {"every_steps": 4},
            "wandb": {"use": "ganfw-wandb:wandb"},
        },
    )
