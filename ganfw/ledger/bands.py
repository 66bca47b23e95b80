"""The bands that a recipe expects its results in, made from runs of several seeds."""

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

from ganfw.errors import InputError
from ganfw.ledger.records import SEED, RunRecord, Runs
from ganfw.recipe.expectations import Band
from ganfw.report.reading import read_object, text_of

LEAST_SEEDS = 3
"""The least number of seeds that bands are made from."""
ERRORS = 4.0
"""A band reaches this many standard errors of a new run from the mean, up and down."""
LEAST_SPREAD = 0.01
"""A standard deviation below this share of the mean is taken as this share: a few runs may agree by chance."""


def band_of(values: Sequence[float]) -> Band:
    """Return the band in which the value of a run with another seed is expected: mean ± 4 s √(1 + 1/n).

    `s` is the sample standard deviation, and `s √(1 + 1/n)` the standard error of one new value around the mean of n
    others. The ends are rounded outwards. Where no value is negative, the band does not go below zero.
    """
    mean = fmean(values)
    spread = max(stdev(values), LEAST_SPREAD * abs(mean))
    width = ERRORS * spread * math.sqrt(1 + 1 / len(values))
    if not width:
        return mean, mean
    unit = 10.0 ** (math.floor(math.log10(width)) - 1)
    low, high = math.floor((mean - width) / unit), math.ceil((mean + width) / unit)
    if min(values) >= 0:
        low = max(low, 0)
    return float(f"{low * unit:.9g}"), float(f"{high * unit:.9g}")


def expectation_of(runs: Runs, form: str, metrics: Sequence[str]) -> str:
    """Write `[expect.FORM]` of a recipe as TOML.

    Args:
        runs: finished runs that differ only in the seed.
        form: `"full"` or `"quick"`.
        metrics: the metrics and losses to make bands of.

    Raises:
        InputError: the runs differ in more than the seed, have fewer than three seeds, or lack a value.
    """
    from tomlkit import document, dumps, table

    if other := [key for key in runs.differing() if key != SEED]:
        raise InputError(
            f"bands need runs that differ only in the seed; these differ in {other[0]}, so choose some with --where"
        )
    seeds = sorted({int(run.settings[SEED]) for run in runs if SEED in run.settings})
    if len(seeds) < LEAST_SEEDS or len(seeds) < len(runs):
        have = f"these {len(runs)} runs have {len(seeds)} seeds"
        raise InputError(f"bands need {LEAST_SEEDS} or more runs, each with a seed of its own; {have}")
    within, expected, forms, top = table(), table(), table(is_super_table=True), document()
    for key in metrics:
        values = [run.value(key) for run in runs]
        if not all(isinstance(value, int | float) for value in values):
            raise InputError(f"not every run has a value of {key}; choose other metrics with --metric")
        within.add(key, list(band_of(values)))
    for key, value in _of_runs(runs, seeds, form).items():
        expected.add(key, value)
    expected.add("within", within)
    forms.add(form, expected)
    top.add("expect", forms)
    return dumps(top).removesuffix("\n")


def _of_runs(runs: Sequence[RunRecord], seeds: Sequence[int], form: str) -> dict[str, Any]:
    """Return the keys of `[expect.FORM]`, in order."""
    first = runs[0]
    environment = read_object(first.directory / "environment.json")
    device, threads = text_of(environment.get("device_name")), environment.get("threads")
    names = [words[1] for key in first.settings if (words := key.split("."))[0] == "metrics" and words[2:] == ["use"]]
    computed = [name for name in names if first.settings.get(f"metrics.{name}.enabled", True)]
    return {
        **({"steps": first.step} if form == "quick" else {}),
        "samples": next((value for key, value in first.settings.items() if key.endswith("evaluate.count")), 0),
        **({"metrics": computed} if len(computed) < len(names) else {}),
        "seeds": list(seeds),
        "seconds": float(f"{fmean(run.seconds for run in runs):.3g}"),
        "machine": f"{device}, torch {text_of(environment.get('torch'))}, threads: {threads}",
    }
