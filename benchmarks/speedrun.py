"""How good do digits get in how little time, from the two networks of `mnist_mlp`?

    python benchmarks/speedrun.py reference runs/speedrun RUN    # judges RUN, a whole run of mnist_mlp
    python benchmarks/speedrun.py race runs/speedrun             # dash and mile, five seeds: a quarter of an hour
    python benchmarks/speedrun.py ablate runs/speedrun           # the mile without each of its ingredients
    python benchmarks/speedrun.py table runs/speedrun            # what the run directories say

- **dash** (`mnist_mlp_dash`): the least time to pass the reference's last Fréchet distance, precision and coverage.
- **mile** (`mnist_mlp_fast`): the best quality in a twentieth of the reference's time.

Time is that of training, from before the first step to after the last, with everything in it: default callbacks, and
compilation if a recipe asks for it. That of the reference is its number of steps times the pace of stretches of it, one
run before each race, because the machine's mood changes. A claim is about the mean of the seeds; its p-value is that of
Student's one-sided test, that the mean is not beyond the bar. Every run is judged by the shipped classifier and by the
one of `second_judge.py`.
"""

import json
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from attrs import frozen
from runs import digits, evaluated, mean_and_spread, result, seconds, steps, trained, value
from scipy import stats

HERE = Path(__file__).parent
RACES = {"dash": "mnist_mlp_dash", "mile": "mnist_mlp_fast"}
REFERENCE_STEPS = 93_800
STRETCH = 500
JUDGES = ("mnist_classifier", "second_judge")
METRICS = {
    "frechet_distance": "Fréchet distance",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
}
ABLATIONS = {
    "everything": [],
    "the non-saturating loss": ["loss.use=logistic"],
    "no R1": ["regularizers.r1.enabled=false"],
    "no averaging": ["averaging.enabled=false"],
    "constant rates": ["schedule.generator.enabled=false", "schedule.discriminator.enabled=false"],
    "momentum 0.5": ["optimizer.generator.betas=[0.5, 0.99]", "optimizer.discriminator.betas=[0.5, 0.99]"],
    "a tenth of the rates": ["optimizer.generator.lr=2e-4", "optimizer.discriminator.lr=2e-4"],
    "fresh fakes for each update": ["step.reuse_fakes=false"],
}
"""What is changed in the mile, one ingredient at a time."""


@frozen
class Bar:
    """What the mean of a race's runs must be beyond."""

    metric: str
    height: Callable[[Mapping[str, Any]], float]
    above: bool = True


def _of_reference(metric: str, share: float = 1.0) -> Callable[[Mapping[str, Any]], float]:
    return lambda reference: share * value(reference, metric)


BARS = {
    "dash": [
        Bar("frechet_distance", _of_reference("frechet_distance"), above=False),
        Bar("precision", _of_reference("precision")),
        Bar("coverage", _of_reference("coverage")),
    ],
    "mile": [
        Bar("frechet_distance", _of_reference("frechet_distance", 1 / 12), above=False),
        Bar("precision", _of_reference("precision")),
        Bar("recall", lambda _: 0.65),
        Bar("coverage", lambda _: 0.80),
    ],
}


@click.group()
def main() -> None:
    """Run the dash and the mile, and take them apart."""


@main.command()
@click.argument("runs", type=click.Path(path_type=Path))
@click.argument("run", type=click.Path(path_type=Path, exists=True))
def reference(runs: Path, run: Path) -> None:
    """Judge the last checkpoint of RUN, a whole run of `mnist_mlp`, by both judges."""
    if steps(run) != REFERENCE_STEPS:
        sys.exit(f"{run} has {steps(run):,} steps, not the {REFERENCE_STEPS:,} of the reference")
    found = {judge: _judged(runs, run, judge) for judge in JUDGES}
    runs.mkdir(parents=True, exist_ok=True)
    (runs / "reference.json").write_text(json.dumps(found, indent=2))


@main.command()
@click.argument("runs", type=click.Path(path_type=Path))
@click.option("--seeds", default=5, show_default=True)
def race(runs: Path, seeds: int) -> None:
    """Run dash and mile with seeds 0, 1, ..., each after a stretch of the reference; what is there already stays."""
    for seed in range(seeds):
        for name, recipe in RACES.items():
            pace = ("--set", f"run.max_steps={STRETCH}", "--seed", str(seed))
            trained(runs / "pace" / f"{name}-seed-{seed}", "mnist_mlp", *pace)
            run = trained(runs / name / f"seed-{seed}", recipe, "--seed", str(seed))
            for judge in JUDGES:
                _judged(runs, run, judge)


@main.command()
@click.argument("runs", type=click.Path(path_type=Path))
@click.option("--seeds", default=1, show_default=True)
def ablate(runs: Path, seeds: int) -> None:
    """Run the mile without each of its ingredients in turn."""
    for seed in range(seeds):
        for name, settings in ABLATIONS.items():
            options = [f"--set={setting}" for setting in settings]
            folder = runs / "ablation" / name.replace(" ", "-") / f"seed-{seed}"
            _judged(runs, trained(folder, RACES["mile"], "--seed", str(seed), *options), JUDGES[0])


@main.command()
@click.argument("runs", type=click.Path(path_type=Path))
def table(runs: Path) -> None:
    """Print what RUNS hold, as Markdown."""
    against = json.loads((runs / "reference.json").read_text())
    pace = statistics.median(seconds(run) / STRETCH for run in runs.glob("pace/*/*/"))
    whole = pace * REFERENCE_STEPS
    print(f"The reference: {REFERENCE_STEPS:,} steps of {1e3 * pace:.1f} ms, {whole / 60:.1f} minutes.\n")
    for judge in JUDGES:
        rows = [("reference", "", "", [against[judge]])]
        for name in RACES:
            finished = sorted(runs.glob(f"{name}/*/*/"))
            times = [seconds(run) for run in finished]
            share = f"{mean_and_spread(times)} s, 1/{whole / statistics.mean(times):.0f}"
            rows.append((name, f"{steps(finished[0]):,}", share, [_found(run, judge) for run in finished]))
        print(f"By `{judge}`:\n\n{_quality(rows)}\n")
        print(_verdicts({name: found for name, _, _, found in rows[1:]}, against[judge]), end="\n\n")
    ablations = [
        (
            name,
            str(len(finished)),
            f"{mean_and_spread([seconds(run) for run in finished])} s",
            [_found(run, JUDGES[0]) for run in finished],
        )
        for name in ABLATIONS
        if (finished := sorted((runs / "ablation" / name.replace(" ", "-")).glob("*/*/")))
    ]
    if ablations:
        print(f"The mile without each ingredient:\n\n{_quality(ablations)}")


def _judged(runs: Path, run: Path, judge: str) -> Mapping[str, Any]:
    if judge == JUDGES[0]:
        return evaluated(run)
    settings = ["embedding.use=second_judge", f"embedding.weights={runs / 'second_judge.safetensors'}"]
    plugin = f"--plugin={HERE / 'second_judge.py'}"
    return evaluated(run, plugin, *(f"--set={setting}" for setting in settings), embedding=judge)


def _found(run: Path, judge: str) -> Mapping[str, Any]:
    if (found := result(run, judge)) is None:
        sys.exit(f"{run}: not judged by {judge} yet")
    return found


def _quality(rows: Sequence[tuple[str, str, str, Sequence[Mapping[str, Any]]]]) -> str:
    lines = [f"| | steps | time | {' | '.join(METRICS.values())} |", "|---" * (len(METRICS) + 3) + "|"]
    for name, length, time, found in rows:
        cells = [mean_and_spread([value(document, metric) for document in found]) for metric in METRICS]
        lines.append(f"| {name} | {length} | {time} | {' | '.join(cells)} |")
    floors = [digits(rows[0][3][0]["metrics"][metric]["floor"]) for metric in METRICS]
    lines.append(f"| real training images | | | {' | '.join(floors)} |")
    return "\n".join(lines)


def _verdicts(races: Mapping[str, Sequence[Mapping[str, Any]]], against: Mapping[str, Any]) -> str:
    lines = ["| claim | mean | bar | p |", "|---|---|---|---|"]
    for name, found in races.items():
        for bar in BARS[name]:
            values, height = [value(document, bar.metric) for document in found], bar.height(against)
            test = stats.ttest_1samp(values, height, alternative="greater" if bar.above else "less")
            sign = ">" if bar.above else "<"
            lines.append(
                f"| {name}: {METRICS[bar.metric]} {sign} bar | {mean_and_spread(values)} | {digits(height)} "
                f"| {test.pvalue:.1g} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
