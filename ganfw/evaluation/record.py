"""Write the results of an evaluation: `eval/*.json` in the run directory, and pictures beside it."""

import json
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from attrs import frozen

from ganfw.evaluation.evaluator import Evaluation, Evaluator
from ganfw.evaluation.pictures import curve_picture, neighbours_picture, truncation_grid
from ganfw.files import write_atomically
from ganfw.run.checkpoints import checkpoint_name

if TYPE_CHECKING:
    from ganfw.run.load import Checkpoint
    from ganfw.training.loop import Training

FORMAT = 1
"""The version of the format of `eval/*.json`."""
FOLDER = "eval"
"""Where a run directory holds them."""
LABELS = {None: None, "data": "as frequent as in the data", "equal": "in equal shares"}
"""What `eval/*.json` says of the labels that a conditional generator was given."""


@frozen
class Subject:
    """The generator that was evaluated.

    Attributes:
        name: the recipe's name.
        seed: the run's seed.
        step: steps done.
        epoch: the epoch that the step belongs to, counted from 1.
        images: real samples seen.
        averaged: whether the weights are averaged ones.
    """

    name: str
    seed: int
    step: int
    epoch: int
    images: int
    averaged: bool

    @classmethod
    def of_checkpoint(cls, checkpoint: "Checkpoint", batch_size: int, size: int) -> "Subject":
        """Describe a checkpoint of a run with batches of `batch_size` of a training set of `size`."""
        manifest = checkpoint.manifest
        per_epoch = -(-size // batch_size)
        epochs, steps = divmod(manifest.step, per_epoch)
        return cls(
            manifest.name,
            manifest.seed,
            manifest.step,
            max(manifest.step - 1, 0) // per_epoch + 1,
            epochs * size + steps * batch_size,
            any(address.startswith("averaging.") for address in manifest.parts),
        )

    @classmethod
    def of_training(cls, training: "Training") -> "Subject":
        """Describe a training where it stands."""
        experiment = training.experiment
        name = experiment.resolved.recipe.name if experiment.resolved else "experiment"
        averaged = bool(experiment.averaging)
        return cls(name, experiment.settings.seed, training.step, training.epoch, training.images, averaged)


def file_stem(subject: Subject, evaluation: Evaluation, *differences: str) -> str:
    """Return the beginning of the names of an evaluation's files: `"step-000500"`, and what differs from the defaults.

    The defaults are the run's own seed, no truncation, and labels as frequent as in the data; `differences` are words
    for what else differs.
    """
    words = [checkpoint_name(subject.step)]
    if evaluation.seed != subject.seed:
        words.append(f"seed-{evaluation.seed}")
    if evaluation.truncation is not None:
        words.append(f"truncation-{evaluation.truncation:g}")
    if evaluation.labels == "equal":
        words.append("labels-equal")
    return "-".join([*words, *differences])


def describe_evaluation(subject: Subject, evaluator: Evaluator, evaluation: Evaluation) -> dict[str, Any]:
    """Return what `eval/step-*.json` holds."""
    return {**_head(subject, evaluator, evaluation, evaluation.seconds), "metrics": _metrics(evaluation)}


def describe_curve(subject: Subject, evaluator: Evaluator, points: Sequence[Evaluation]) -> dict[str, Any]:
    """Return what `eval/step-*-truncation.json` holds of evaluations at rising thresholds."""
    head = _head(subject, evaluator, points[0], sum(point.seconds for point in points))
    del head["truncation"]
    return {**head, "points": [{"truncation": each.truncation, "metrics": _metrics(each)} for each in points]}


def _metrics(evaluation: Evaluation) -> dict[str, Any]:
    return {name: result.to_json() for name, result in evaluation.results.items()}


def _head(subject: Subject, evaluator: Evaluator, evaluation: Evaluation, seconds: float) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "name": subject.name,
        "step": subject.step,
        "epoch": subject.epoch,
        "images": subject.images,
        "checkpoint": checkpoint_name(subject.step),
        "count": evaluation.count,
        "seed": evaluation.seed,
        "truncation": evaluation.truncation,
        "labels": LABELS[evaluation.labels],
        "averaged": subject.averaged,
        "reference": dict(evaluator.about_reference),
        "embedding": {
            "name": evaluator.embedding_name,
            "identity": evaluator.embedding.identity,
            "dimensions": evaluator.reference.features.shape[1],
        },
        "device": str(evaluator.device),
        "versions": {"ganfw": version("ganfw"), "torch": torch.__version__, "python": platform.python_version()},
        "seconds": round(seconds, 3),
    }


def write_evaluation(
    directory: Path, subject: Subject, evaluator: Evaluator, evaluation: Evaluation, *differences: str
) -> Path:
    """Write an evaluation into `directory/eval`: the JSON file, which is returned, and a picture of nearest neighbours.

    `directory` is the run directory; `differences` are as in `file_stem`.

    Raises:
        RunError: the system refuses.
    """
    stem = file_stem(subject, evaluation, *differences)
    path = directory / FOLDER / f"{stem}.json"
    picture = neighbours_picture(evaluation.samples, evaluator.training)
    if picture is not None:
        write_atomically(path.with_name(f"{stem}-neighbours.png"), picture)
    write_atomically(path, _to_json(describe_evaluation(subject, evaluator, evaluation)))
    return path


def record_evaluation(training: "Training", evaluator: Evaluator, evaluation: Evaluation) -> Path:
    """Write an evaluation of a training where it stands into its run directory; return the JSON file.

    Raises:
        RunError: it has no directory, or the system refuses.
    """
    directory = training.require_directory("evaluate")
    return write_evaluation(directory, Subject.of_training(training), evaluator, evaluation)


def write_curve(
    directory: Path, subject: Subject, evaluator: Evaluator, points: Sequence[Evaluation], *differences: str
) -> Path:
    """Write a truncation curve into `directory/eval`: JSON, the curve, and a grid of samples of one noise.

    Raises:
        RunError: the system refuses.
    """
    stem = file_stem(subject, points[-1], *differences)
    path = directory / FOLDER / f"{stem}-truncation.json"
    document = describe_curve(subject, evaluator, points)
    write_atomically(path.with_suffix(".png"), curve_picture(document))
    grid = truncation_grid([(point.truncation, point.samples.samples) for point in points])
    if grid is not None:
        write_atomically(path.with_name(f"{stem}-truncation-grid.png"), grid)
    write_atomically(path, _to_json(document))
    return path


def _to_json(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
