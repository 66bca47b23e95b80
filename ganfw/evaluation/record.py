"""Write the results of an evaluation: `eval/*.json` in the run directory, and pictures beside it."""

import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from attrs import frozen

from ganfw.evaluation.evaluator import Evaluation, Evaluator
from ganfw.evaluation.pictures import curve_picture, neighbours_picture, truncation_grid
from ganfw.files import number_in_name, write_atomically
from ganfw.run.checkpoints import checkpoint_name

if TYPE_CHECKING:
    from ganfw.run.load import Checkpoint
    from ganfw.training.loop import Training

FORMAT = 1
"""The version of the format of `eval/*.json`."""
PLAIN_COUNT = 10_000
"""How many samples an evaluation has if nothing else is asked for."""
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
        epoch: the epoch that the step belongs to, counted from 1; None where the size of the data is not known.
        images: real samples seen; None likewise.
        averaged: whether the weights are averaged ones.
        sampler: the name of the part that makes the samples; None for the generator from noise.
    """

    name: str
    seed: int
    step: int
    epoch: int | None
    images: int | None
    averaged: bool
    sampler: str | None = None

    @classmethod
    def of_checkpoint(
        cls, checkpoint: "Checkpoint", batch_size: int, size: int | None, *, sampler: str | None = None
    ) -> "Subject":
        """Describe a checkpoint of a run with batches of `batch_size` of a training set of `size`, if that is known."""
        manifest = checkpoint.manifest
        epoch = images = None
        if size is not None:
            per_epoch = -(-size // batch_size)
            epochs, steps = divmod(manifest.step, per_epoch)
            epoch, images = max(manifest.step - 1, 0) // per_epoch + 1, epochs * size + steps * batch_size
        averaged = any(address.startswith("averaging.") for address in manifest.parts)
        return cls(manifest.name, manifest.seed, manifest.step, epoch, images, averaged, sampler)

    @classmethod
    def of_training(cls, training: "Training") -> "Subject":
        """Describe a training where it stands."""
        experiment = training.experiment
        name = experiment.resolved.recipe.name if experiment.resolved else "experiment"
        averaged, sampler = bool(experiment.averaging), experiment.registered.get("sampler")
        named = sampler.part.name if sampler else None
        return cls(name, experiment.settings.seed, training.step, training.epoch, training.images, averaged, named)


def file_stem(subject: Subject, evaluation: Evaluation, *differences: str) -> str:
    """Return the beginning of the names of an evaluation's files: `"step-000500"`, and what differs from the defaults.

    The defaults are the run's own seed, no truncation, labels as frequent as in the data, and 10,000 samples;
    `differences` are words for what else differs.
    """
    words = [checkpoint_name(subject.step)]
    if evaluation.seed != subject.seed:
        words.append(f"seed-{evaluation.seed}")
    if evaluation.truncation is not None:
        words.append(f"truncation-{number_in_name(evaluation.truncation)}")
    if evaluation.labels == "equal":
        words.append("labels-equal")
    if evaluation.count != PLAIN_COUNT:
        words.append(f"count-{evaluation.count}")
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
        "sampler": subject.sampler,
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
    pictures = {f"{stem}-neighbours": neighbours_picture(evaluation.samples, evaluator.training)}
    return _write(directory, stem, describe_evaluation(subject, evaluator, evaluation), pictures)


def record_evaluation(training: "Training", evaluator: Evaluator, evaluation: Evaluation, *differences: str) -> Path:
    """Write an evaluation of a training where it stands into its run directory; return the JSON file.

    `differences` are as in `file_stem`.

    Raises:
        RunError: it has no directory, or the system refuses.
    """
    directory = training.require_directory("evaluate")
    return write_evaluation(directory, Subject.of_training(training), evaluator, evaluation, *differences)


def write_curve(
    directory: Path, subject: Subject, evaluator: Evaluator, points: Sequence[Evaluation], *differences: str
) -> Path:
    """Write a truncation curve into `directory/eval`: JSON, the curve, and a grid of samples of one noise.

    Raises:
        RunError: the system refuses.
    """
    stem = f"{file_stem(subject, points[-1], *differences)}-truncation"
    document = describe_curve(subject, evaluator, points)
    grid = truncation_grid([(point.truncation, point.samples.samples) for point in points])
    return _write(directory, stem, document, {stem: curve_picture(document), f"{stem}-grid": grid})


def _write(directory: Path, stem: str, document: Mapping[str, Any], pictures: Mapping[str, bytes | None]) -> Path:
    """Write the pictures that there are, by their names, and then the document, whose path is returned."""
    folder = directory / FOLDER
    for name, picture in pictures.items():
        if picture is not None:
            write_atomically(folder / f"{name}.png", picture)
    content = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(folder / f"{stem}.json", content.encode())
    return folder / f"{stem}.json"
