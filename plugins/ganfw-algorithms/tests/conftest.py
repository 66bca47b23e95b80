"""Fixtures that many tests share."""

import os

import pytest
import torch

import ganfw

pytest_plugins = ["ganfw.testing.devices"]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Run the small networks of the tests on one thread, where they are fastest; processes that they start, too."""
    torch.set_num_threads(1)
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def registry() -> ganfw.Registry:
    """Return the registry of this environment."""
    return ganfw.discover()
