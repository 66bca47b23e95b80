"""`ganfw evaluate`: how good a generator is."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import frozen

from ganfw.cli.options import device_option, json_option, with_registry
from ganfw.cli.sampling import batch_size_option, truncation_option
from ganfw.errors import InputError, RunError
from ganfw.plugins.registry import Registry
from ganfw.recipe.resolution import resolve

if TYPE_CHECKING:
    from torch import nn

    from ganfw.evaluation.evaluator import Evaluator
    from ganfw.evaluation.record import Subject
    from ganfw.protocols import Noise

PLAIN_COUNT = 10_000
ARROWS = {"lower": "↓ lower", "higher": "↑ higher", "": ""}
BARS = "▁▂▃▄▅▆▇█"
CURVE = ("frechet_distance", "precision", "density", "recall", "coverage")


@click.command(short_help="Say how good the samples of a run are.")
@click.argument("run_directory", metavar="RUN", type=click.Path(path_type=Path))
@click.option("-n", "--count", type=int, default=PLAIN_COUNT, show_default=True, help="How many samples to evaluator.")
@click.option(
    "--seed", type=int, metavar="S", help="Which samples; by default the run's own seed, as in its sample grids."
)
@truncation_option
@click.option(
    "--truncations",
    metavar="T,T,…",
    help="Judge samples of one noise at each of these thresholds and at none: the curve of fidelity and diversity.",
)
@click.option("--checkpoint", "step", type=int, metavar="STEP", help="The checkpoint of this step, not the newest.")
@click.option("--all", "every", is_flag=True, help="Every checkpoint that the run has kept.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change the embedding or metrics: --set embedding.use=pixels. Repeatable.",
)
@batch_size_option
@device_option
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="DIR", help="Write eval/ here, not in the run directory."
)
@json_option
@with_registry
def evaluate(
    run_directory: Path,
    count: int,
    seed: int | None,
    truncation: float | None,
    truncations: str | None,
    step: int | None,
    every: bool,
    overrides: tuple[str, ...],
    batch_size: int,
    device: str,
    output: Path | None,
    as_json: bool,
    registry: Registry,
) -> None:
    """Say how good the samples of a RUN are, a run directory or one of its checkpoints.

    Prints a table, and writes eval/step-….json with a picture of nearest neighbours into the run directory. Beside each
    value stands its floor: the same metric with real training images in the place of the samples.
    """
    thresholds = None if truncations is None else _parse_thresholds(truncations)
    if thresholds is not None and truncation is not None:
        raise InputError("--truncation and --truncations exclude each other")
    if count < 1:
        raise InputError(f"the number of samples must be >= 1, not {count}")
    for override in overrides:
        if override.partition("=")[0].strip().partition(".")[0] not in ("embedding", "metrics"):
            raise InputError(f"--set {override}: an evaluation may change the embedding and metrics, and nothing else")

    from ganfw.evaluation.assembly import TABLES, open_evaluator
    from ganfw.evaluation.record import Subject
    from ganfw.run.load import open_checkpoint

    paths = _checkpoints(run_directory, step, every)
    documents: list[dict[str, Any]] = []
    evaluator: Evaluator | None = None
    for path in paths:
        checkpoint = open_checkpoint(path)
        for reason in checkpoint.skipped:
            click.echo(f"passed over a damaged checkpoint: {reason}", err=True)
        resolved = resolve(checkpoint.recipe().with_overrides(overrides), registry, only=TABLES)
        source = checkpoint.source(registry, device)
        folder = output or _run_of(checkpoint.path)
        if evaluator is None:
            evaluator = open_evaluator(resolved, device=device, say=lambda line: click.echo(line, err=True))
        job = _Job(
            generator=source.networks["generator"],
            noise=source.noise,
            evaluator=evaluator,
            subject=Subject.of_checkpoint(checkpoint, resolved.settings.batch_size, evaluator.training_size),
            count=count,
            seed=checkpoint.manifest.seed if seed is None else seed,
            batch_size=batch_size,
            folder=folder,
            words=_differences(count, overrides),
            quiet=as_json,
        )
        documents.append(job.evaluate(truncation) if thresholds is None else job.evaluate_curve(thresholds))
    if as_json:
        click.echo(json.dumps(documents if every else documents[0], indent=2))


@frozen(eq=False, kw_only=True)
class _Job:
    """The evaluation of one checkpoint: what is judged, by whom, and where it is told."""

    generator: "nn.Module"
    noise: "Noise"
    evaluator: "Evaluator"
    subject: "Subject"
    count: int
    seed: int
    batch_size: int
    folder: Path | None
    words: Sequence[str]
    quiet: bool

    def evaluate(self, truncation: float | None) -> dict[str, Any]:
        """Evaluate; write and print what was found."""
        from ganfw.evaluation.evaluator import evaluate
        from ganfw.evaluation.record import describe_evaluation, write_evaluation

        found = evaluate(
            self.generator,
            self.noise,
            self.evaluator,
            count=self.count,
            seed=self.seed,
            truncation=truncation,
            batch_size=self.batch_size,
        )
        document = describe_evaluation(self.subject, self.evaluator, found)
        self._print(document, _table_of(document["metrics"]))
        if self.folder is not None:
            self._tell(write_evaluation(self.folder, self.subject, self.evaluator, found, *self.words))
        return document

    def evaluate_curve(self, thresholds: Sequence[float | None]) -> dict[str, Any]:
        """Evaluate at every threshold, with one set of noise; write and print what was found."""
        from ganfw.evaluation.evaluator import evaluate_truncations
        from ganfw.evaluation.record import describe_curve, write_curve

        points = evaluate_truncations(
            self.generator,
            self.noise,
            self.evaluator,
            thresholds,
            count=self.count,
            seed=self.seed,
            batch_size=self.batch_size,
        )
        document = describe_curve(self.subject, self.evaluator, points)
        self._print(document, _curve_table(document["points"]))
        if self.folder is not None:
            self._tell(write_curve(self.folder, self.subject, self.evaluator, points, *self.words))
        return document

    def _print(self, document: Mapping[str, Any], results: str) -> None:
        if not self.quiet:
            click.echo(f"{_headline(document, self.evaluator)}\n{results}\n")

    def _tell(self, path: Path) -> None:
        click.echo(f"wrote {path}", err=True)


def _parse_thresholds(text: str) -> list[float | None]:
    """Return thresholds in rising order, each once, and None for no truncation last."""
    import math

    try:
        found = sorted({float(word) for word in text.split(",")})
    except ValueError:
        found = [-1.0]
    if not all(0 <= threshold < math.inf for threshold in found):
        raise InputError(f"--truncations {text}: write thresholds >= 0 with commas between them: 0.1,0.25,0.5,1,2")
    return [*found, None]


def _checkpoints(path: Path, step: int | None, every: bool) -> list[Path]:
    """Return which checkpoints to evaluator, in the order of their steps."""
    from ganfw.run.checkpoints import checkpoint_name, checkpoints_in

    if step is not None and every:
        raise InputError("--checkpoint and --all exclude each other")
    if step is None and not every:
        return [path]
    kept = sorted(checkpoints_in(path), key=lambda each: int(each.name.removeprefix("step-")))
    if not kept:
        raise RunError(f"{path}: no run directory with checkpoints in it")
    if step is None:
        return kept
    chosen = [each for each in kept if each.name == checkpoint_name(step)]
    if not chosen:
        names = ", ".join(each.name.removeprefix("step-").lstrip("0") or "0" for each in kept)
        raise RunError(f"{path}: has no checkpoint of step {step}; it has kept: {names}")
    return chosen


def _run_of(checkpoint: Path) -> Path | None:
    """Return the run directory that a checkpoint is in, as `checkpoints/step-…` or as `best`, or None."""
    from ganfw.run.directory import check_run_directory

    checkpoint = checkpoint.resolve()
    for folder in (checkpoint.parent, checkpoint.parent.parent):
        if (folder / "environment.json").is_file():
            check_run_directory(folder)
            return _shortest(folder)
    return None


def _shortest(folder: Path) -> Path:
    """Return a path as one would write it here."""
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


def _differences(count: int, overrides: Sequence[str]) -> list[str]:
    """Say in the words of a file's name what else is not plain: the number of samples, the embedding, the metrics."""
    import hashlib

    words = [] if count == PLAIN_COUNT else [f"count-{count}"]
    return words + ([f"set-{hashlib.sha256(chr(10).join(overrides).encode()).hexdigest()[:8]}"] if overrides else [])


def _headline(document: Mapping[str, Any], evaluator: "Evaluator") -> str:
    """Say what was judged, by what, against what."""
    reference = document["reference"]
    averaged = ", averaged weights" if document["averaged"] else ""
    truncation = f", truncated at {document['truncation']:g}" if document.get("truncation") is not None else ""
    against = f"{reference['count']:,} of {reference['data']}"
    against += (
        f", split {reference['split']}" if evaluator.held_out else ", the training data itself: nothing is held out"
    )
    embedding = document["embedding"]
    name, _, digest = embedding["identity"].partition("sha256:")
    shown = f"{name}sha256:{digest[:12]}…" if digest else name
    head = f"{document['name']}, step {document['step']:,} (epoch {document['epoch']:,}){averaged}"
    return (
        f"{click.style(head, bold=True)}\n"
        f"  samples    {document['count']:,} of seed {document['seed']}{truncation}\n"
        f"  reference  {against}\n"
        f"  embedding  {shown}, {embedding['dimensions']} dimensions\n"
    )


def _table_of(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """Lay results out: name, value, floor, which way is better; reasons for what has no value below."""
    rows = [("metric", "value", "floor", "better")]
    notes = []
    for name, finding in metrics.items():
        rows.append((name, _number(finding["value"]), _number(finding.get("floor")), ARROWS[finding["better"]]))
        for what, key in ((name, "reason"), (f"floor of {name}", "floor_reason")):
            if finding.get(key):
                notes.append(f"{what}: {finding[key]}")
    return "\n".join([_aligned(rows), *(f"  - {note}" for note in _grouped(notes))])


def _grouped(notes: Sequence[str]) -> list[str]:
    """Tell a reason that several results share once."""
    shared: dict[str, list[str]] = {}
    for note in notes:
        what, _, reason = note.partition(": ")
        shared.setdefault(reason, []).append(what)
    return [f"no {', '.join(names)}: {reason}" for reason, names in shared.items()]


def _curve_table(points: Sequence[Mapping[str, Any]]) -> str:
    rows: list[Sequence[str]] = [("truncation", *CURVE)]
    for point in points:
        values = [_number(point["metrics"].get(name, {}).get("value")) for name in CURVE]
        rows.append(("none" if point["truncation"] is None else f"{point['truncation']:g}", *values))
    reasons = {
        f"{name}: {finding['reason']}"
        for point in points
        for name, finding in point["metrics"].items()
        if finding.get("reason")
    }
    return "\n".join([_aligned(rows), *(f"  - no {reason}" for reason in sorted(reasons))])


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table with its numbers to the right and its head in grey."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for number, row in enumerate(rows):
        cells = [
            f"{cell:>{width}}" if 0 < column < len(row) - (len(row) == 4) else f"{cell:{width}}"
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        line = f"  {'  '.join(cells)}".rstrip()
        lines.append(click.style(line, dim=True) if number == 0 else line)
    return "\n".join(lines)


def _number(value: Any) -> str:
    """Write a number with four digits, a histogram as bars."""
    if value is None:
        return "-"
    if isinstance(value, list | tuple):
        top = max([*value, 1e-12])
        return "".join(BARS[round(share / top * (len(BARS) - 1))] for share in value[:40])
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 10_000 else f"{value:.4g}"
