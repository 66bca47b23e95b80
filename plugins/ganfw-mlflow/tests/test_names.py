"""Settings and metrics become what MLflow takes."""

import pytest
from mlflow.utils.validation import _validate_metric_name

from ganfw_mlflow.names import metric_name, parameters


@pytest.mark.parametrize("name", ["loss/generator", "evaluation_2000/frechet_distance", "r1/a.b-c d"])
def test_names_that_are_allowed_stay(name: str) -> None:
    assert metric_name(name) == name


@pytest.mark.parametrize("name", ["loss//x", "/loss", "../loss", "*", "a\nb", "x" * 300, "ada:p", "./", "größe"])
def test_other_names_become_allowed_ones(name: str) -> None:
    _validate_metric_name(metric_name(name))


def test_parameters_are_flat_and_short() -> None:
    tables = {"loss": {"use": "bce"}, "optimizer": {"a": {"lr": 1e-5, "betas": [0.5, 0.9]}}, "x": {}, "long": "y" * 900}

    assert parameters(tables) == {
        "loss.use": "bce",
        "optimizer.a.lr": "1e-05",
        "optimizer.a.betas": "[0.5, 0.9]",
        "long": "y" * 500,
    }
