"""The log of the speedrun's records: `records/*.json`, each with its recipe, versions, machine and all figures.

    python benchmarks/records.py add dash runs/speedrun    # logs what `speedrun.py race` left there, if it is a record
    python benchmarks/records.py check ENTRY runs/again    # checks a record, and runs of its recipe on this machine
    python benchmarks/records.py table                     # prints the log

A record is the mean of at least five seeds. It passes every bar of its race by both judges, and it beats the last
record of the race: a dash by its share of the reference's time, the others by Fréchet distance, a mile in at most a
twentieth of that time. Each of these claims has a p-value, and none is above 0.05. Times are shares of the reference's,
at its pace in the same sitting, so that records of unlike machines can stand in one log.
"""

import json
import math
import statistics
import sys
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from runs import mean_and_spread, seconds, steps, value
from scipy import stats
from speedrun import JUDGES, METRICS, OF_THE_SAME_NETWORKS, RACES, claims, folder_of, found, runs_of, times_faster

LOG = Path(__file__).parent / "records"
SEEDS = 5
SURE = 0.05
MILE = 20
"""How many times as long as a mile the reference takes, at least."""
OTHER = 0.01
"""Runs with a worse Fréchet distance than the record's, by a p below this, are not what it claims."""
NETWORK = {"use": "ganfw:mlp", "hidden_dim": 128}
"""What both networks of a dash and a mile are."""


@click.group()
def main() -> None:
    """Keep the log of records."""


_log = click.option("--log", type=click.Path(path_type=Path), default=LOG, help="The folder of records.")


@main.command()
@click.argument("race", type=click.Choice(list(RACES)))
@click.argument("runs", type=click.Path(path_type=Path, exists=True))
@click.option("--by", default="the ganfw authors", show_default=True, help="Whose record it is.")
@_log
def add(race: str, runs: Path, by: str, log: Path) -> None:
    """Log what RUNS hold of a RACE, if it is a record."""
    record = _record(race, runs, by)
    before = _records(log, race)
    record["p"] = _p_values(record, before)
    if faults := _faults(record, record["p"]):
        sys.exit("no record: " + "; ".join(faults))
    log.mkdir(exist_ok=True)
    path = log / f"{folder_of(LOG, race).name}-{len(before) + 1}.json"
    path.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    print(path)


@main.command()
@click.argument("entry", type=click.Path(path_type=Path, exists=True))
@click.argument("runs", required=False, type=click.Path(path_type=Path, exists=True))
def check(entry: Path, runs: Path | None) -> None:
    """Check the record in the file ENTRY, and whether RUNS of its recipe on this machine are as good."""
    record = json.loads(entry.read_text())
    log = _records(entry.parent, record["race"])
    p = _p_values(record, log[: log.index(record)] if record in log else log)
    faults = _faults(record, p)
    faults += [
        f"{claim}: p is {each:.2g}, not {record['p'].get(claim)}"
        for claim, each in p.items()
        if _is_other(record, claim, each)
    ]
    if runs is not None:
        again = _record(record["race"], runs, record["by"])
        faults += [f"trained again: {fault}" for fault in _faults(again, _p_values(again, []))]
        old, new = (each["found"][JUDGES[0]]["frechet_distance"] for each in (record, again))
        if stats.ttest_ind(new, old, equal_var=False, alternative="greater").pvalue < OTHER:
            difference = f"{mean_and_spread(new)}, not {mean_and_spread(old)}"
            faults.append(f"trained again: the Fréchet distance is {difference}")
    if faults:
        sys.exit(f"{entry}: " + "; ".join(faults))
    print(f"{entry}: {'as claimed' if runs is None else 'as claimed, and found again'}")


@main.command()
@_log
def table(log: Path) -> None:
    """Print the log as Markdown."""
    metrics = ("frechet_distance", "precision", "recall", "coverage")
    names = " | ".join(METRICS[metric] for metric in metrics)
    print(f"| record | by | date | steps | seconds | of the reference's time | {names} |")
    print("|---" * (6 + len(metrics)) + "|")
    for race in RACES:
        for number, record in enumerate(_records(log, race), 1):
            of_metric = record["found"][JUDGES[0]]
            share = f"1/{statistics.mean(record['times_faster']):.0f}"
            quality = " | ".join(mean_and_spread(of_metric[metric]) for metric in metrics)
            row = f"{race} {number} | {record['by']} | {record['date']} | {record['steps']:,}"
            row += f" | {mean_and_spread(record['seconds'])}"
            print(f"| {row} | {share} | {quality} |")


def _records(log: Path, race: str) -> list[Mapping[str, Any]]:
    """Return the records of a race so far, in order."""
    paths = log.glob(f"{folder_of(LOG, race).name}-[0-9]*.json")
    paths = sorted(paths, key=lambda path: int(path.stem.rpartition("-")[2]))
    return [json.loads(path.read_text()) for path in paths]


def _record(race: str, runs: Path, by: str) -> dict[str, Any]:
    """Return all figures of a race that was run, without p-values."""
    finished = runs_of(folder_of(runs, race))
    reference = json.loads((runs / "reference.json").read_text())
    environment = json.loads((finished[0] / "environment.json").read_text())
    return {
        "race": race,
        "by": by,
        "date": datetime.fromtimestamp((finished[-1] / "metrics.jsonl").stat().st_mtime, UTC).date().isoformat(),
        "machine": {key: environment[key] for key in ("device", "device_name", "threads")},
        "versions": {key: environment[key] for key in ("ganfw", "python", "torch")},
        "packages": {part["distribution"]: part["version"] for part in environment["parts"].values()},
        "steps": steps(finished[0]),
        "seconds": [seconds(run) for run in finished],
        "times_faster": times_faster(runs, finished),
        "reference": {judge: {metric: value(reference[judge], metric) for metric in METRICS} for judge in JUDGES},
        "real_data": {
            judge: {metric: reference[judge]["metrics"][metric]["real_data"] for metric in METRICS} for judge in JUDGES
        },
        "found": {
            judge: {metric: [value(found(run, judge), metric) for run in finished] for metric in METRICS}
            for judge in JUDGES
        },
        "recipe": (finished[0] / "recipe.toml").read_text(),
    }


def _p_values(record: Mapping[str, Any], before: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the p-value of each claim of a record, from its figures and the records before it."""
    p = {}
    for judge in JUDGES:
        values, real_data = record["found"][judge], record.get("real_data", {}).get(judge, {})
        of_runs = [
            {"name": record["race"], "metrics": {metric: {"value": values[metric][place]} for metric in METRICS}}
            for place in range(len(record["seconds"]))
        ]
        reference = {
            metric: {"value": height, "real_data": real_data.get(metric)}
            for metric, height in record["reference"][judge].items()
        }
        for claim in claims(record["race"], of_runs, {"name": "reference", "metrics": reference}):
            p[f"{METRICS[claim.bar.metric]} beyond {claim.height:.4g}, by {judge}"] = claim.p
    if record["race"] == "mile":
        test = stats.ttest_1samp(record["times_faster"], MILE, alternative="greater")
        p[f"at least {MILE} times as fast"] = float(test.pvalue)
    if before:
        p["better than the last record"] = _p_of_better(record, before[-1])
    return p


def _faults(record: Mapping[str, Any], p: Mapping[str, float]) -> list[str]:
    """Say what keeps figures from being a record."""
    if len(record["seconds"]) < SEEDS:
        return [f"a record is the mean of {SEEDS} seeds, and there are {len(record['seconds'])}"]
    faults = [f"{claim}: p = {each:.2g}" for claim, each in p.items() if not each <= SURE]
    tables = tomllib.loads(record["recipe"])
    if record["race"] in OF_THE_SAME_NETWORKS:
        for name in ("generator", "discriminator"):
            if {key: tables.get(name, {}).get(key) for key in NETWORK} != NETWORK:
                faults.append(f"the {name} must be the reference's: {NETWORK}")
    return faults


def _is_other(record: Mapping[str, Any], claim: str, p: float) -> bool:
    """Whether a record claims another p-value than its figures have."""
    claimed = record["p"].get(claim)
    return claimed is None or not math.isclose(claimed, p, rel_tol=1e-6, abs_tol=1e-300)


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
