"""The log of the speedrun's records: `records/*.json`, each with its recipe, versions, machine and all figures.

    python benchmarks/records.py add dash runs/speedrun    # logs what `speedrun.py race` left there, if it is a record
    python benchmarks/records.py table                     # prints the log

A record is the mean of at least five seeds. It passes every bar of its race by both judges, and it beats the last
record of the race: a dash by its share of the reference's time, the others by Fréchet distance, a mile in at most a
twentieth of that time. Each of these claims has a p-value, and none is above 0.05. Times are shares of the reference's,
at its pace in the same sitting, so that records of unlike machines can stand in one log.
"""

import json
import statistics
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from runs import mean_and_spread, seconds, steps, value
from scipy import stats
from speedrun import JUDGES, METRICS, RACES, claims, folder_of, found, runs_of, times_faster

LOG = Path(__file__).parent / "records"
SEEDS = 5
SURE = 0.05
MILE = 20
"""How many times as long as a mile the reference takes, at least."""


@click.group()
def main() -> None:
    """Keep the log of records."""


_log = click.option("--log", type=click.Path(path_type=Path), default=LOG, help="The folder of records.")


@main.command()
@click.argument("race", type=click.Choice(list(RACES)))
@click.argument("runs", type=click.Path(path_type=Path, exists=True))
@_log
def add(race: str, runs: Path, log: Path) -> None:
    """Log what RUNS hold of a RACE, if it is a record."""
    finished = runs_of(folder_of(runs, race))
    if len(finished) < SEEDS:
        sys.exit(f"a record is the mean of {SEEDS} seeds, and there are {len(finished)}")
    reference = json.loads((runs / "reference.json").read_text())
    judgements = {judge: [found(run, judge) for run in finished] for judge in JUDGES}
    shares = times_faster(runs, finished)
    p = {
        f"{METRICS[claim.bar.metric]} beyond {claim.height:.4g}, by {judge}": claim.p
        for judge, of_runs in judgements.items()
        for claim in claims(race, of_runs, reference[judge])
    }
    if race == "mile":
        p[f"at least {MILE} times as fast"] = float(stats.ttest_1samp(shares, MILE, alternative="greater").pvalue)
    environment = json.loads((finished[0] / "environment.json").read_text())
    record = {
        "race": race,
        "date": datetime.fromtimestamp((finished[-1] / "metrics.jsonl").stat().st_mtime, UTC).date().isoformat(),
        "machine": {key: environment[key] for key in ("device", "device_name", "threads")},
        "versions": {key: environment[key] for key in ("ganfw", "python", "torch")},
        "steps": steps(finished[0]),
        "seconds": [seconds(run) for run in finished],
        "times_faster": shares,
        "reference": {judge: {metric: value(reference[judge], metric) for metric in METRICS} for judge in JUDGES},
        "found": {
            judge: {metric: [value(document, metric) for document in of_runs] for metric in METRICS}
            for judge, of_runs in judgements.items()
        },
        "p": p,
        "recipe": (finished[0] / "recipe.toml").read_text(),
    }
    before = _records(log, race)
    if before:
        p["better than the last record"] = _p_of_better(record, before[-1])
    unsure = [f"{claim}: p = {each:.2g}" for claim, each in p.items() if not each <= SURE]
    if unsure:
        sys.exit("no record: " + "; ".join(unsure))
    log.mkdir(exist_ok=True)
    path = log / f"{folder_of(LOG, race).name}-{len(before) + 1}.json"
    path.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    print(path)


@main.command()
@_log
def table(log: Path) -> None:
    """Print the log as Markdown."""
    metrics = ("frechet_distance", "precision", "recall", "coverage")
    names = " | ".join(METRICS[metric] for metric in metrics)
    print(f"| record | date | steps | seconds | of the reference's time | {names} |")
    print("|---" * (5 + len(metrics)) + "|")
    for race in RACES:
        for number, record in enumerate(_records(log, race), 1):
            of_metric = record["found"][JUDGES[0]]
            share = f"1/{statistics.mean(record['times_faster']):.0f}"
            quality = " | ".join(mean_and_spread(of_metric[metric]) for metric in metrics)
            row = f"{race} {number} | {record['date']} | {record['steps']:,} | {mean_and_spread(record['seconds'])}"
            print(f"| {row} | {share} | {quality} |")


def _records(log: Path, race: str) -> list[Mapping[str, Any]]:
    """Return the records of a race so far, in order."""
    paths = log.glob(f"{folder_of(LOG, race).name}-[0-9]*.json")
    paths = sorted(paths, key=lambda path: int(path.stem.rpartition("-")[2]))
    return [json.loads(path.read_text()) for path in paths]


def _p_of_better(record: Mapping[str, Any], last: Mapping[str, Any]) -> float:
    """Return the p-value, by Welch's test, that a record is better than the last one of its race."""
    if record["race"].startswith("dash"):
        test = stats.ttest_ind(record["times_faster"], last["times_faster"], equal_var=False, alternative="greater")
    else:
        new, old = (each["found"][JUDGES[0]]["frechet_distance"] for each in (record, last))
        test = stats.ttest_ind(new, old, equal_var=False, alternative="less")
    return float(test.pvalue)


if __name__ == "__main__":
    main()
