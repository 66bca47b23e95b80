"""The model card: what a generator was trained on, how good it is, and how the exported file is used."""

import re
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from attrs import frozen

from ganfw.export.drawing import Drawing, drawing_of
from ganfw.export.generator import TrainedGenerator
from ganfw.report.axis import shown
from ganfw.report.evaluations import EvaluationFile
from ganfw.report.names import ARROWS, metric_help, metric_name
from ganfw.report.reading import MAX_TEXT, printable
from ganfw.report.run import read_runs

NOT_STATED = "not stated"


@frozen
class MetricRow:
    """A metric of the generator, beside the same of real data; numbers as they are shown."""

    name: str
    help: str
    arrow: str
    value: str
    real_data: str


@frozen
class Card:
    """A model card.

    Attributes:
        title: the recipe's name.
        version: of ganfw.
        facts: what the generator is and where it comes from, by name.
        evaluated: what the metrics were measured on; empty without an evaluation.
        metrics: the newest evaluation.
        drawing: how noise is drawn.
        labels: how many classes it takes; None where it takes none.
        shape: of one sample: `"1, 28, 28"`.
        makes_images: whether samples are grey or colour images.
    """

    title: str
    version: str
    facts: Mapping[str, str]
    evaluated: str
    metrics: tuple[MetricRow, ...]
    drawing: Drawing
    labels: int | None
    shape: str
    makes_images: bool

    def markdown(self, name: str, **more: Any) -> bytes:
        """Write the card as Markdown, with how the files of one format are used.

        Args:
            name: `"onnx"` or `"torch"`.
            **more: what else it asks for.
        """
        from jinja2 import Environment, PackageLoader, StrictUndefined

        environment = Environment(
            loader=PackageLoader("ganfw.export"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        environment.filters["cell"] = _cell
        return environment.get_template(f"{name}.md.jinja").render(card=self, **more).encode()


def read_card(trained: TrainedGenerator) -> Card:
    """Gather what is known of a generator, from its checkpoint and from the evaluations of its run.

    Raises:
        RunError: the run directory cannot be read.
    """
    manifest = trained.manifest
    drawing = drawing_of(trained)
    shape = ", ".join(map(str, manifest.sample_shape))
    images = " in [0, 1]" if trained.makes_images else ""
    labels = "" if trained.num_classes is None else f", and a class from 0 to {trained.num_classes - 1}"
    settings = ", ".join(f"{name} = {value}" for name, value in trained.parameters.items())
    facts = {
        "recipe": manifest.name,
        "trained for": f"{manifest.step:,} steps, seed {manifest.seed}",
        "data": _part(manifest.parts.get("data")),
        "licence of the data": manifest.data_licence or NOT_STATED,
        "SHA-256 of the data": manifest.data_sha256 or NOT_STATED,
        "generator": _part(manifest.parts["generator"]) + (f", {settings}" if settings else ""),
        "weights": "means over the steps of training" if trained.averaged else "those after the last of these steps",
        "noise": drawing.words + labels,
        "samples": f"({shape}) float32{images}, as {trained.command} draws them",
        "checkpoint": f"{trained.checkpoint.path.name}, SHA-256 of its manifest {trained.manifest_sha256}",
        "exported by": f"ganfw {version('ganfw')}; trained with ganfw {manifest.ganfw}",
    }
    newest = _newest_evaluation(trained)
    return Card(
        title=_line(manifest.name),
        version=version("ganfw"),
        facts={name: _line(fact) for name, fact in facts.items()},
        evaluated=_line(_described(newest)) if newest else "",
        metrics=_rows(newest) if newest else (),
        drawing=drawing,
        labels=trained.num_classes,
        shape=shape,
        makes_images=trained.makes_images,
    )


def _part(found: Mapping[str, str] | None) -> str:
    """Name a part as the manifest has it."""
    if found is None:
        return NOT_STATED
    name, distribution, version = (found.get(key, "") for key in ("name", "distribution", "version"))
    return f"{name} ({distribution} {version})"


def _newest_evaluation(trained: TrainedGenerator) -> EvaluationFile | None:
    """Return the newest evaluation of the run that is not of a later step than the checkpoint."""
    folder = trained.checkpoint.path.resolve().parent
    directory = folder.parent if folder.name == "checkpoints" else folder
    if not (directory / "environment.json").is_file():
        return None
    (run,) = read_runs([directory])
    return next((each for each in reversed(run.evaluations) if each.step <= trained.manifest.step), None)


def _described(evaluation: EvaluationFile) -> str:
    details = evaluation.details
    words = [f"Measured after step {evaluation.step:,}"]
    if count := details.get("count"):
        words.append(f"on {count} samples")
    if data := details.get("reference data"):
        words.append(f"against {details.get('reference split', '')} images of {data}".replace("  ", " "))
    if truncation := details.get("truncation"):
        words.append(f"with truncation {truncation}")
    if sampler := details.get("sampler"):
        words.append(f"drawn by the sampler {sampler}")
    if embedding := details.get("embedding name"):
        words.append(f"by features of {embedding}")
    return ", ".join(words) + "."


def _rows(evaluation: EvaluationFile) -> tuple[MetricRow, ...]:
    return tuple(
        MetricRow(
            _line(metric_name(name)),
            metric_help(name),
            ARROWS[score.better],
            shown(score.value),
            shown(score.real_data),
        )
        for name, score in evaluation.scores.items()
        if score.value is not None
    )


def _line(text: str) -> str:
    """Return a text that may come from a stranger as one line of bounded length."""
    line = " ".join(str(printable(text)).split())
    return line if len(line) <= MAX_TEXT else f"{line[: MAX_TEXT - 1]}…"


def _cell(text: str) -> str:
    """Escape what would be markup in a cell of a Markdown table."""
    return re.sub(r"([\\`*<>|]|(?<=\])\()", r"\\\1", text)
