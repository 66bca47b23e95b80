"""A recipe that trains in a moment, with the callback, and a store of MLflow's in a folder of the tests."""

from pathlib import Path

import pytest
import torch
from mlflow import MlflowClient

import ganfw

pytest_plugins = ["ganfw.testing.devices"]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def registry() -> ganfw.Registry:
    return ganfw.discover()


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a store on SQLite; making one takes seconds."""
    folder = tmp_path_factory.mktemp("mlflow")
    address = f"sqlite:///{folder}/mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # where MLflow puts artifacts
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        MlflowClient(address).create_experiment("small")
    return address


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_TIMEOUT", raising=False)
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)


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
            "mlflow": {"use": "ganfw-mlflow:mlflow"},
        },
    )
