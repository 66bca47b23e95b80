"""How good do digits get in how little time, from the two networks of `mnist_mlp`?

    python benchmarks/speedrun.py reference runs/speedrun RUN    # judges RUN, a whole run of mnist_mlp
    python benchmarks/speedrun.py race runs/speedrun             # dash and mile, five seeds: half an hour
    python benchmarks/speedrun.py race runs/speedrun conv --seeds 3
    python benchmarks/speedrun.py ablate runs/speedrun           # the mile without each of its ingredients
    python benchmarks/speedrun.py table runs/speedrun            # what the run directories say

- **dash** (`mnist_mlp_dash`): the least time to pass the reference's last Fréchet distance, precision and coverage.
- **mile** (`mnist_mlp_fast`): the best quality in a twentieth of the reference's time.
- **conv** (`mnist_conv_fast` of ganfw-conv): the best quality of small convolutional networks in ten minutes.

Time is that of training, from before the first step to the last line of the metrics, with everything in it: default
callbacks, and compilation if a recipe asks for it. That of the reference is its number of steps times its pace, which a
stretch of it sets before the races of each seed, because the machine's mood changes.

A claim is about the mean of the seeds; its p-value is of Student's one-sided test that the mean is not beyond the bar.
Bars are of one run of the reference, taken as it is: p speaks of the seeds of the race alone, and of each claim alone.
Every run is judged by the shipped classifier and by the one of `second_judge.py`.
"""

import json
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from attrs import frozen
from runs import digits, evaluated, lines, mean_and_spread, result, seconds, steps, trained, value
from scipy import stats

HERE = Path(__file__).parent
REFERENCE_STEPS = 93_800
STRETCH = 1000
"""Steps, of which the second half sets the pace; the reference writes a line of metrics every 500."""
JUDGES = ("mnist_classifier", "second_judge")
METRICS = {
    "frechet_distance": "Fréchet distance",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
}
ABLATIONS = {
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
    """What the mean of a race's runs must be beyond.

    Attributes:
        metric: the name of the result.
        height_of: its bar, given what was found about the reference.
        above: whether the mean must be above the bar, not below.
    """

    metric: str
    height_of: Callable[[Mapping[str, Any]], float]
    above: bool = True


def _of_reference(metric: str, share: float = 1.0) -> Callable[[Mapping[str, Any]], float]:
    return lambda reference: share * value(reference, metric)


def _of_real_data(metric: str, times: float) -> Callable[[Mapping[str, Any]], float]:
    return lambda reference: times * reference["metrics"][metric]["real_data"]


@frozen
class Race:
    """What is run, and how good it must be.

    Attributes:
        recipe: its name.
        bars: what the mean of its runs must be beyond.
        options: of `ganfw run`.
    """

    recipe: str
    bars: Sequence[Bar]
    options: Sequence[str] = ()


_DASH_BARS = (
    Bar("frechet_distance", _of_reference("frechet_distance"), above=False),
    Bar("precision", _of_reference("precision")),
    Bar("coverage", _of_reference("coverage")),
)
RACES = {
    "dash": Race("mnist_mlp_dash", _DASH_BARS),
    "dash in bf16": Race("mnist_mlp_dash", _DASH_BARS, ('--set=run.precision="bf16"',)),
    "mile": Race(
        "mnist_mlp_fast",
        (
            Bar("frechet_distance", _of_reference("frechet_distance", 1 / 12), above=False),
            Bar("precision", _of_reference("precision")),
            Bar("recall", lambda _: 0.65),
            Bar("coverage", lambda _: 0.80),
        ),
    ),
    "conv": Race("mnist_conv_fast", (Bar("frechet_distance", _of_real_data("frechet_distance", 3), above=False),)),
}
OF_THE_SAME_NETWORKS = ("dash", "dash in bf16", "mile")


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
    judgements = {judge: _judged(runs, run, judge) for judge in JUDGES}
    runs.mkdir(parents=True, exist_ok=True)
    (runs / "reference.json").write_text(json.dumps(judgements, indent=2))


@main.command()
@click.argument("runs", type=click.Path(path_type=Path))
@click.argument("names", metavar="[RACE]...", nargs=-1, type=click.Choice(list(RACES)))
@click.option("--seeds", default=5, show_default=True)
@click.option("--recipe", help="Your recipe for the one RACE that is named: a file, or a name such as ganfw-x:my_mile.")
def race(runs: Path, names: Sequence[str], seeds: int, recipe: str | None) -> None:
    """Run a stretch of the reference and each RACE with seeds 0, 1, ..., and judge; what is there already stays.

    By default the races are those of the reference's own networks.
    """
    if recipe is not None and len(names) != 1:
        sys.exit(f"--recipe {recipe}: name the one race that it runs in: {', '.join(RACES)}")
    for seed in range(seeds):
        trained(runs / "pace" / f"seed-{seed}", "mnist_mlp", "--seed", str(seed), "--set", f"run.max_steps={STRETCH}")
        finished = [
            trained(
                folder_of(runs, name) / f"seed-{seed}",
                recipe or RACES[name].recipe,
                "--seed",
                str(seed),
                *RACES[name].options,
            )
            for name in names or OF_THE_SAME_NETWORKS
        ]
        for run in finished:
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
            run = trained(_ablation(runs, name) / f"seed-{seed}", RACES["mile"].recipe, "--seed", str(seed), *options)
            _judged(runs, run, JUDGES[0])


@main.command()
@click.argument("runs", type=click.Path(path_type=Path))
def table(runs: Path) -> None:
    """Print what RUNS hold, as Markdown."""
    against = json.loads((runs / "reference.json").read_text())
    whole = statistics.median(reference_seconds(runs)) / 60
    pace = 60e3 * whole / REFERENCE_STEPS
    print(f"The reference: {REFERENCE_STEPS:,} steps of {pace:.1f} ms, {whole:.1f} minutes.\n")
    races = {name: runs_of(folder_of(runs, name)) for name in RACES if folder_of(runs, name).exists()}
    for judge in JUDGES:
        rows = [_Row("reference", f"{REFERENCE_STEPS:,}", f"{whole:.1f} min", [against[judge]])]
        for name, finished in races.items():
            shares = times_faster(runs, finished)
            time = f"{mean_and_spread([seconds(run) for run in finished])} s: 1/{statistics.mean(shares):.0f}"
            time += f" ({min(shares):.0f}-{max(shares):.0f})"
            rows.append(_Row(name, f"{steps(finished[0]):,}", time, [found(run, judge) for run in finished]))
        print(f"By `{judge}`:\n\n{_quality(rows)}\n")
        print(_verdicts({row.name: row.found for row in rows[1:]}, against[judge]), end="\n\n")
    ablations = {name: runs_of(_ablation(runs, name)) for name in ABLATIONS if _ablation(runs, name).exists()}
    if ablations:
        seeds = max(len(done) for done in ablations.values())
        rows = [
            _Row(
                name,
                f"{steps(done[0]):,}",
                f"{mean_and_spread([seconds(run) for run in done])} s",
                [found(run, JUDGES[0]) for run in done],
            )
            for name, done in {"everything": races["mile"][:seeds], **ablations}.items()
        ]
        print(f"The mile without each ingredient:\n\n{_quality(rows)}")


@frozen
class _Row:
    name: str
    length: str
    time: str
    found: Sequence[Mapping[str, Any]]


def folder_of(runs: Path, race: str) -> Path:
    """Return where the runs of a race are."""
    return runs / race.replace(" ", "-")


def runs_of(folder: Path) -> list[Path]:
    """Return the finished runs below a folder, by seed."""
    found = sorted(run for run in folder.glob("seed-*/*/") if not run.parent.suffix)
    return found or sys.exit(f"no run in {folder} yet")


def reference_seconds(runs: Path) -> list[float]:
    """Return how long the reference takes at the pace of each stretch, from the second half of its steps."""
    paces = []
    for run in runs_of(runs / "pace"):
        first, second = lines(run)
        paces.append((second["seconds"] - first["seconds"]) / (second["step"] - first["step"]))
    return [REFERENCE_STEPS * pace for pace in paces]


def times_faster(runs: Path, finished: Sequence[Path]) -> list[float]:
    """Return how many times as long the reference takes as each run of a race, at its pace right before."""
    return [whole / seconds(run) for whole, run in zip(reference_seconds(runs), finished, strict=False)]


def found(run: Path, judge: str) -> Mapping[str, Any]:
    """Return what a judge said of a run; what is not there yet ends the program."""
    return result(run, judge) or sys.exit(f"{run}: not judged by {judge} yet")


@frozen
class Claim:
    """That the mean of a race's runs is beyond a bar.

    Attributes:
        bar: which.
        values: of the runs.
        height: the bar's.
        p: of Student's one-sided test.
    """

    bar: Bar
    values: Sequence[float]
    height: float
    p: float


def claims(race: str, of_runs: Sequence[Mapping[str, Any]], against: Mapping[str, Any]) -> Iterator[Claim]:
    """Yield each claim of a race, given what one judge found about its runs and the reference."""
    for bar in RACES[race].bars:
        values, height = [value(document, bar.metric) for document in of_runs], bar.height_of(against)
        test = stats.ttest_1samp(values, height, alternative="greater" if bar.above else "less")
        yield Claim(bar, values, height, float(test.pvalue))


def _ablation(runs: Path, name: str) -> Path:
    return runs / "ablation" / name.replace(" ", "-")


def _judged(runs: Path, run: Path, judge: str) -> Mapping[str, Any]:
    if judge == JUDGES[0]:
        return evaluated(run)
    settings = ["embedding.use=second_judge", f"embedding.weights={runs / 'second_judge.safetensors'}"]
    plugin = f"--plugin={HERE / 'second_judge.py'}"
    return evaluated(run, plugin, *(f"--set={setting}" for setting in settings), embedding=judge)


def _quality(rows: Sequence[_Row]) -> str:
    table = [f"| | seeds | steps | time | {' | '.join(METRICS.values())} |", "|---" * (len(METRICS) + 4) + "|"]
    for row in rows:
        cells = [mean_and_spread([value(document, metric) for document in row.found]) for metric in METRICS]
        table.append(f"| {row.name} | {len(row.found)} | {row.length} | {row.time} | {' | '.join(cells)} |")
    real_data = [digits(rows[0].found[0]["metrics"][metric]["real_data"]) for metric in METRICS]
    table.append(f"| real training images | | | | {' | '.join(real_data)} |")
    return "\n".join(table)


def _verdicts(races: Mapping[str, Sequence[Mapping[str, Any]]], against: Mapping[str, Any]) -> str:
    table = ["| claim | mean | bar | p |", "|---|---|---|---|"]
    for race, of_runs in races.items():
        for claim in claims(race, of_runs, against):
            metric, sign = METRICS[claim.bar.metric], ">" if claim.bar.above else "<"
            mean, height = mean_and_spread(claim.values), digits(claim.height)
            table.append(f"| {race}: {metric} {sign} bar | {mean} | {height} | {claim.p:.1g} |")
    return "\n".join(table)


if __name__ == "__main__":
    main()
