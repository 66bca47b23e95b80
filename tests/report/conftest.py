"""Run directories for reports: a real run, and evaluations written by hand in the format that `ganfw evaluate` has."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MakeRun = Callable[..., Path]

METRICS: dict[str, dict[str, Any]] = {
    "frechet_distance": {"value": 312.4, "better": "lower", "real_data": 1.7},
    "precision": {"value": 0.75, "better": "higher", "real_data": 0.91},
    "recall": {"value": None, "better": "higher", "reason": "fewer samples than neighbours", "real_data": 0.87},
    "class_histogram": {"value": [0.25, 0.75], "better": "", "real_data": [0.5, 0.5]},
    "diversity": {"value": 0.2, "better": "higher", "real_data": None, "real_data_reason": "no training images"},
}


def _evaluate(run: Path, name: str, **values: Any) -> None:
    """Write `eval/<name>.json`; what is not said is as usual."""
    step = int(name.split("-")[1])
    usual = {
        "format": 1,
        "name": "tiny",
        "step": step,
        "epoch": 1,
        "images": step * 32,
        "checkpoint": f"step-{step:06d}",
        "count": 1000,
        "seed": 0,
        "truncation": None,
        "averaged": False,
        "reference": {"data": "mnist", "split": "test", "count": 10000, "sha256": "ab" * 32},
        "embedding": {"name": "mnist_classifier", "identity": "mnist_classifier sha256:cd", "dimensions": 64},
        "device": "cpu",
        "versions": {"ganfw": "0.1.0", "torch": "2.10.0", "python": "3.11.0"},
        "seconds": 12.34,
        "metrics": METRICS,
    }
    (run / "eval").mkdir(exist_ok=True)
    (run / "eval" / f"{name}.json").write_text(json.dumps(usual | values))


def _evaluate_all(run: Path, distance: float = 312.4) -> None:
    """Write evaluations at two steps, one of them with truncation, a truncation curve, and its pictures."""
    metrics = METRICS | {"frechet_distance": {"value": distance, "better": "lower", "real_data": 1.7}}
    _evaluate(run, "step-000005", metrics=metrics | {"frechet_distance": {"value": 400.0, "better": "lower"}})
    _evaluate(run, "step-000010", metrics=metrics)
    _evaluate(run, "step-000010-truncation-0.5", truncation=0.5)
    points = [
        {"truncation": threshold, "metrics": {"precision": {"value": precision, "better": "higher"}}}
        for threshold, precision in ((0.25, 0.95), (1.0, 0.9), (None, 0.75))
    ]
    _evaluate(run, "step-000010-truncation", points=points)
    for name in ("neighbours", "truncation", "truncation-grid"):
        shutil.copy(run / "samples" / "step-000010.png", run / "eval" / f"step-000010-{name}.png")


@pytest.fixture(scope="session")
def one_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished run of ten steps, made once; copy it before you change it."""
    import ganfw

    registry = ganfw.discover()
    recipe = ganfw.Recipe(
        name="tiny",
        extends="mnist_mlp",
        run={"batch_size": 32, "log_every_steps": 4, "max_steps": 10},
        data={"split": "test"},
        generator={"hidden_dim": 4},
        discriminator={"hidden_dim": 4},
        callbacks={"samples": {"every_steps": 5}, "checkpoint": {"every_steps": 6}},
    )
    experiment = ganfw.assemble(ganfw.resolve(recipe, registry))
    directory = ganfw.create_run_directory(tmp_path_factory.mktemp("made"), experiment)
    ganfw.train(experiment, directory=directory)
    return directory


@pytest.fixture
def make_run(one_run: Path, tmp_path: Path) -> MakeRun:
    """Return a function that copies the finished run; with another seed, as if it were one of that seed."""

    def make(name: str = "tiny-1", *, seed: int = 0, evaluated: bool = True, distance: float = 312.4) -> Path:
        run = tmp_path / name
        shutil.copytree(one_run, run)
        recipe = run / "recipe.toml"
        recipe.write_text(recipe.read_text().replace("seed = 0 ", f"seed = {seed} "))
        if evaluated:
            _evaluate_all(run, distance)
        return run

    return make


@pytest.fixture(scope="session")
def evaluate_all() -> Callable[..., None]:
    """Return a function that gives a run evaluations of every kind."""
    return _evaluate_all


@pytest.fixture
def write_evaluation() -> Callable[..., None]:
    """Return a function that writes an evaluation of a run: its name without `.json`, and what is not as usual."""
    return _evaluate
