"""`ganfw evaluate`: how good a generator is."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganfw.cli.options import device_option, json_option, require_place, with_registry
from ganfw.cli.sampling import batch_size_option, open_run, truncation_option
from ganfw.errors import InputError, RunError
from ganfw.plugins.registry import Registry
from ganfw.recipe.resolution import resolve
from ganfw.terminal import say, say_table

if TYPE_CHECKING:
    from ganfw.evaluation.evaluator import Evaluator

PLAIN_COUNT = 10_000
BARS = "▁▂▃▄▅▆▇█"
CURVE = ("frechet_distance", "precision", "density", "recall", "coverage")


@click.command(short_help="Say how good the samples of a run are.")
@click.argument("run_directory", metavar="RUN", type=click.Path(path_type=Path))
@click.option("-n", "--count", type=int, default=PLAIN_COUNT, show_default=True, help="How many samples to evaluate.")
@click.option(
    "--seed", type=int, metavar="S", help="Which samples; by default the run's own seed, as in its sample grids."
)
@truncation_option
@click.option(
    "--truncations",
    metavar="T,T,…",
    help="Evaluate samples of one noise at each of these thresholds and at none: the curve of fidelity and diversity.",
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

    Writes eval/step-….json with a picture of nearest neighbours into the run directory, and prints a table. Beside each
    value stands that of real data: the same metric with real training images in the place of the samples.
    """
    thresholds = None if truncations is None else _parse_thresholds(truncations)
    if thresholds is not None and truncation is not None:
        raise InputError("--truncation and --truncations exclude each other")
    if count < 1:
        raise InputError(f"the number of samples must be >= 1, not {count}")
    for override in overrides:
        if override.partition("=")[0].strip().partition(".")[0] not in ("embedding", "metrics"):
            raise InputError(f"--set {override}: an evaluation may change the embedding and metrics, and nothing else")

    from ganfw.evaluation import record
    from ganfw.evaluation.assembly import TABLES, open_evaluator

    documents: list[dict[str, Any]] = []
    evaluator: Evaluator | None = None
    for path in _checkpoints(run_directory, step, every):
        checkpoint = open_run(path)
        folder = output or _run_of(checkpoint.path)
        if folder is not None:
            require_place(folder / record.FOLDER / "-.json")
        resolved = resolve(checkpoint.recipe().with_overrides(overrides), registry, only=TABLES)
        source = checkpoint.source(registry, device)
        if evaluator is None:
            evaluator = open_evaluator(resolved, device=device, say=lambda line: say(line, err=True))
        subject = record.Subject.of_checkpoint(checkpoint, resolved.settings.batch_size, evaluator.training_size)
        found, describe, write = _evaluate(
            thresholds,
            truncation,
            source=source,
            evaluator=evaluator,
            count=count,
            seed=checkpoint.manifest.seed if seed is None else seed,
            batch_size=batch_size,
        )
        document = describe(subject, evaluator, found)
        words = _differences(count, overrides)
        written = None if folder is None else write(folder, subject, evaluator, found, *words)
        documents.append(document)
        if not as_json:
            _show(document, evaluator.held_out)
        if written is not None:
            say(f"wrote {written}", err=True)
    if as_json:
        say(json.dumps(documents if every else documents[0], indent=2))


def _evaluate(
    thresholds: Sequence[float | None] | None, truncation: float | None, **given: Any
) -> tuple[Any, Any, Any]:
    """Evaluate once, or at every threshold; return what was found, what describes it, and what writes it."""
    from ganfw.evaluation import record
    from ganfw.evaluation.evaluator import evaluate, evaluate_truncations

    if thresholds is None:
        found = evaluate(truncation=truncation, **given)
        return found, record.describe_evaluation, record.write_evaluation
    return evaluate_truncations(thresholds=thresholds, **given), record.describe_curve, record.write_curve


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
            return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    return None


def _differences(count: int, overrides: Sequence[str]) -> list[str]:
    """Say in the words of a file's name what else is not plain: the number of samples, the embedding, the metrics."""
    import hashlib

    words = [] if count == PLAIN_COUNT else [f"count-{count}"]
    return words + ([f"set-{hashlib.sha256(chr(10).join(overrides).encode()).hexdigest()[:8]}"] if overrides else [])


def _show(document: Mapping[str, Any], held_out: bool) -> None:
    """Print what was judged, by what, against what, and the results."""
    reference, embedding = document["reference"], document["embedding"]
    averaged = ", averaged weights" if document["averaged"] else ""
    truncation = f", truncated at {document['truncation']:g}" if document.get("truncation") is not None else ""
    split = f", split {reference['split']}" if held_out else ", the training data itself: nothing is held out"
    name, _, digest = embedding["identity"].partition("sha256:")
    shown = f"{name}sha256:{digest[:12]}…" if digest else name
    say(f"{document['name']}, step {document['step']:,} (epoch {document['epoch']:,}){averaged}", bold=True)
    say(f"  samples    {document['count']:,} of seed {document['seed']}{truncation}")
    say(f"  reference  {reference['count']:,} of {reference['data']}{split}")
    say(f"  embedding  {shown}, {embedding['dimensions']} dimensions\n")
    if "points" in document:
        _show_curve(document["points"])
    else:
        _show_metrics(document["metrics"])
    say()


def _show_metrics(metrics: Mapping[str, Mapping[str, Any]]) -> None:
    """Print each result beside that of real data, and which way is better; below, why some have no value."""
    rows = [("metric", "value", "real data", "better")]
    missing = []
    for name, result in metrics.items():
        rows.append((name, _number(result["value"]), _number(result.get("real_data")), result["better"]))
        missing += [(name, result.get("reason")), (f"real data of {name}", result.get("real_data_reason"))]
    say_table(rows)
    _show_reasons(missing)


def _show_curve(points: Sequence[Mapping[str, Any]]) -> None:
    """Print the results of the curve, a row for each threshold; below, why some have no value."""
    rows: list[Sequence[str]] = [("truncation", *CURVE)]
    for point in points:
        threshold = "none" if point["truncation"] is None else f"{point['truncation']:g}"
        rows.append((threshold, *(_number(point["metrics"].get(name, {}).get("value")) for name in CURVE)))
    say_table(rows)
    _show_reasons((name, found.get("reason")) for point in points for name, found in point["metrics"].items())


def _show_reasons(missing: Iterable[tuple[str, str | None]]) -> None:
    """Print why results have no value; a reason that several share is printed once."""
    shared: dict[str, dict[str, None]] = {}
    for name, reason in missing:
        if reason:
            shared.setdefault(reason, {})[name] = None
    for reason, names in shared.items():
        say(f"  - no {', '.join(names)}: {reason}")


def _number(value: Any) -> str:
    """Write a number with four digits, a histogram as bars."""
    if value is None:
        return "-"
    if isinstance(value, list | tuple):
        top = max([*value, 1e-12])
        return "".join(BARS[round(share / top * (len(BARS) - 1))] for share in value[:40])
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 10_000 else f"{value:.4g}"
