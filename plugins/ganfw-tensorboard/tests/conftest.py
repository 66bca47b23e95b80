"""A recipe that trains in a moment, with the callback."""

import pytest
import torch

import ganfw

pytest_plugins = ["ganfw.testing.devices"]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def registry() -> ganfw.Registry:
    return ganfw.discover()


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
            "tensorboard": {
                "use": "ganfw-tensorboard:tensorboard",
                "histogram_every_windows": 2,
                "count": 6,
                "columns": 3,
                "logits": 32,
            },
        },
    )
