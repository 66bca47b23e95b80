"""`ganfw evaluate`: how good a generator is."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganfw.cli import options
from ganfw.errors import InputError, RunError
from ganfw.evaluation.table import metric_rows, number_text
from ganfw.plugins.registry import Registry
from ganfw.recipe.resolution import resolve
from ganfw.terminal import say, say_table

if TYPE_CHECKING:
    from ganfw.evaluation.evaluator import Evaluator, Labels
    from ganfw.evaluation.reference import Reference

CURVE = ("frechet_distance", "precision", "density", "recall", "coverage")


@click.command(short_help="Measure how good the samples of a run are.")
@click.option("-n", "--count", type=int, default=10_000, show_default=True, help="How many samples to evaluate.")
@click.option(
    "--labels",
    type=click.Choice(["data", "equal"]),
    default="data",
    show_default=True,
    help="Classes for a conditional generator: as frequent as in the data, or in equal shares.",
)
@click.option(
    "--truncations",
    metavar="T,T,…",
    help="Evaluate the same noise at each of these thresholds and without one: the truncation curve.",
)
@click.option(
    "--checkpoint", "step", type=int, metavar="STEP", help="Evaluate the checkpoint of this step instead of the newest."
)
@click.option("--all", "every", is_flag=True, help="Evaluate every checkpoint that the run has kept.")
@click.option(
    "--reference",
    "reference_file",
    type=options.path_type,
    metavar="FILE",
    help="Compare with this file: of ganfw reference, or any .npz with mu and sigma. The data is not needed then.",
)
@options.set_option("the embedding, metrics or the sampler: --set embedding.use=pixels")
@options.output_option("Write eval/ here, not in the run directory.", "DIR")
@options.json_option
@options.of_samples
def evaluate(
    run_directory: Path,
    count: int,
    seed: int | None,
    labels: "Labels",
    truncation: float | None,
    truncations: str | None,
    step: int | None,
    every: bool,
    reference_file: Path | None,
    overrides: tuple[str, ...],
    batch_size: int | None,
    device: str,
    output: Path | None,
    as_json: bool,
    registry: Registry,
) -> None:
    """Measure how good the samples of a RUN are. RUN is a run directory or one of its checkpoints.

    Writes eval/step-….json with a picture of nearest neighbours into the run directory, and prints a table. Beside each
    value stands that of real data: the same metric with real training images instead of the samples.
    """
    thresholds = None if truncations is None else _parse_thresholds(truncations)
    if thresholds is not None and truncation is not None:
        raise InputError("--truncation and --truncations cannot be used together; leave one out")
    if count < 1:
        raise InputError(f"the number of samples must be >= 1, not {count}")
    of_sampler = [override for override in overrides if _table(override) == "sampler"]
    for override in overrides:
        if _table(override) not in ("embedding", "metrics", "sampler"):
            raise InputError(
                f"--set {override}: an evaluation may change the embedding, metrics and the sampler, and nothing else"
            )

    from ganfw.engine.sampling import draw_noise
    from ganfw.evaluation import record
    from ganfw.evaluation.assembly import TABLES, open_evaluator
    from ganfw.evaluation.evaluator import evaluate as evaluate_once
    from ganfw.evaluation.evaluator import evaluate_truncations, require_curve_metrics
    from ganfw.evaluation.reference import Reference

    reference = None if reference_file is None else Reference.read(reference_file)
    documents: list[dict[str, Any]] = []
    evaluator: Evaluator | None = None
    for path in _checkpoints(run_directory, step, every):
        checkpoint, (recipe, source) = options.read_run(
            path,
            lambda checkpoint: (
                checkpoint.recipe().with_overrides(overrides),
                checkpoint.source(registry, device, of_sampler),
            ),
        )
        strictest = truncation if thresholds is None else thresholds[0]
        if strictest is not None and source.noise is not None:
            draw_noise(source.noise, 1, truncation=strictest)  # refused before anything is embedded
        folder = output or _run_of(checkpoint.path)
        if folder is not None:
            options.require_place(folder / record.FOLDER / "-.json", called=folder)
        resolved = resolve(recipe, registry, only=TABLES)
        if thresholds is not None:
            require_curve_metrics(resolved.names_in("metrics"))  # refused before anything is embedded
        evaluator = evaluator or open_evaluator(
            resolved,
            device=device,
            reference=reference,
            known=checkpoint.context(),
            say=lambda line: say(line, err=True),
        )
        sampler = recipe.tables.get("sampler", {}).get("use")
        subject = record.Subject.of_checkpoint(
            checkpoint, resolved.settings.batch_size, evaluator.training_size, sampler=sampler
        )
        settings: Any = {
            "count": count,
            "seed": checkpoint.manifest.seed if seed is None else seed,
            "labels": labels,
            "batch_size": batch_size,
        }
        describe: Any = record.describe_evaluation
        write: Any = record.write_evaluation
        found: Any
        if thresholds is None:
            found = evaluate_once(source, evaluator, truncation=truncation, **settings)
        else:
            found = evaluate_truncations(source, evaluator, thresholds, **settings)
            describe, write = record.describe_curve, record.write_curve
        document = describe(subject, evaluator, found)
        differences = _differences(overrides, reference)
        written = None if folder is None else write(folder, subject, evaluator, found, *differences)
        documents.append(document)
        if not as_json:
            _show(document, evaluator.held_out)
        if written is not None:
            say(f"wrote {written}", err=True)
    if as_json:
        say(json.dumps(documents if every else documents[0], indent=2))


def _table(override: str) -> str:
    """Return the table that a change is of."""
    return override.partition("=")[0].strip().partition(".")[0]


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
    """Return which checkpoints to evaluate, in the order of their steps."""
    from ganfw.run.checkpoints import checkpoint_at, checkpoints_in

    if step is not None and every:
        raise InputError("--checkpoint and --all cannot be used together; leave one out")
    if step is None and not every:
        return [path]
    if step is not None:
        return [checkpoint_at(path, step)]
    kept = checkpoints_in(path)
    if not kept:
        raise RunError(f"{path}: not a run directory with checkpoints; see: ganfw runs")
    return sorted(kept, key=lambda each: int(each.name.removeprefix("step-")))


def _run_of(checkpoint: Path) -> Path | None:
    """Return the run directory that a checkpoint is in, as `checkpoints/step-…` or as `best`, or None."""
    from ganfw.run.directory import check_run_directory

    above = checkpoint.resolve().parents[:2]
    for folder in (folder for folder in above if (folder / "environment.json").is_file()):
        check_run_directory(folder)
        return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    return None


def _differences(overrides: Sequence[str], reference: "Reference | None") -> list[str]:
    """Say in the words of a file's name what else is not plain: the embedding, the metrics, the reference."""
    import hashlib

    changed = [f"set-{hashlib.sha256(chr(10).join(overrides).encode()).hexdigest()[:8]}"] if overrides else []
    return changed if reference is None else [*changed, reference.word]


def _show(document: Mapping[str, Any], held_out: bool) -> None:
    """Print what was evaluated, by what, against what, and the results; below, why some have no value."""
    reference, embedding = document["reference"], document["embedding"]
    averaged = ", averaged weights" if document["averaged"] else ""
    truncation = f", truncated at {document['truncation']:g}" if document.get("truncation") is not None else ""
    labels = f", labels {document['labels']}" if document["labels"] else ""
    sampler = f", by {document['sampler']}" if document["sampler"] else ""
    epoch = f" (epoch {document['epoch']:,})" if document["epoch"] is not None else ""
    split = f", split {reference['split']}" if reference["split"] else ""
    if not held_out:
        split = ", the training data itself: nothing is held out"
    compared = f"{reference['count']:,} of {reference['data']}{split}" if reference["count"] else "mu and sigma"
    file = f", from {reference['file']}" if "file" in reference else ""
    name, _, digest = embedding["identity"].partition("sha256:")
    shown = f"{name}sha256:{digest[:12]}…" if digest else name
    say(f"{document['name']}, step {document['step']:,}{epoch}{averaged}", bold=True)
    say(f"  samples    {document['count']:,} of seed {document['seed']}{labels}{truncation}{sampler}")
    say(f"  reference  {compared}{file}")
    say(f"  embedding  {shown}, {embedding['dimensions']} dimensions\n")
    say_table(_curve_rows(document["points"]) if "points" in document else metric_rows(document["metrics"]))
    without: dict[str, dict[str, None]] = {}
    for point in document.get("points", [document]):
        for name, result in point["metrics"].items():
            for what, key in ((name, "reason"), (f"real data of {name}", "real_data_reason")):
                without.setdefault(result.get(key, ""), {})[what] = None
    for reason, names in without.items():
        if reason:
            say(f"  - no {', '.join(names)}: {reason}")
    say()


def _curve_rows(points: Iterable[Mapping[str, Any]]) -> Iterator[Sequence[str]]:
    """Yield the results of a curve, a row for each threshold."""
    yield "truncation", *CURVE
    for point in points:
        threshold = "none" if point["truncation"] is None else f"{point['truncation']:g}"
        yield threshold, *(number_text(point["metrics"].get(name, {}).get("value")) for name in CURVE)
