"""The folder of a sweep: which run directories are its trials, what is left to do, and what ended for good."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from ganfw.errors import RunError
from ganfw.files import write_atomically
from ganfw.ledger.records import ENDED, RunRecord, Runs, fixed, load_runs
from ganfw.plugins.signature import show
from ganfw.recipe.origins import dotted, leaves
from ganfw.sweep.trials import Trial
from ganfw.sweep.worker import ENDED_EARLY, FAILED, FINISHED

LOGS = "logs"
"""The folder beside the trials that holds what each has printed."""


@frozen
class Found:
    """What is in a sweep's folder.

    Attributes:
        trials: called as their run directories, where they have some already.
        runs: what is there of a trial, by its name.
        others: the names of runs that belong to no trial.
    """

    trials: tuple[Trial, ...]
    runs: Mapping[str, RunRecord]
    others: tuple[str, ...]

    def waiting(self) -> list[Trial]:
        """Return the trials that are not done."""
        done = (FINISHED, FAILED, ENDED_EARLY)
        return [each for each in self.trials if each.name not in self.runs or self.runs[each.name].state not in done]


def find_trials(folder: Path, trials: Sequence[Trial]) -> Found:
    """Find the run directories of trials by their settings, not by their names.

    Raises:
        RunError: the folder has runs of another recipe, or a run of other settings has the name of a trial.
    """
    runs = load_runs(folder) if folder.is_dir() else Runs(())
    names = {run.name: run for run in runs}
    by_settings = {frozenset(run.settings.items()): run for run in runs if run.settings}
    found: dict[str, RunRecord] = {}
    named: list[Trial] = []
    problems: dict[str, list[str]] = {}
    for trial in trials:
        settings = settings_of(trial)
        run = by_settings.get(frozenset(settings.items()))
        if run is None and (run := names.get(trial.name)) is not None and run.settings:
            problems.setdefault(_difference(run, trial, settings), []).append(run.name)
        if run is not None:
            found[run.name] = run
        named.append(trial if run is None else evolve(trial, name=run.name))
    if problems:
        raise RunError("\n".join(_problem(folder, text, names) for text, names in problems.items()))
    return Found(tuple(named), found, tuple(run.name for run in runs if run.name not in found))


def settings_of(trial: Trial) -> dict[str, Any]:
    """Return the settings of a trial as its run's record has them."""
    return {dotted(path): fixed(value) for path, value in leaves(trial.resolved.qualified().tables)}


def _difference(run: RunRecord, trial: Trial, settings: Mapping[str, Any]) -> str:
    """Say in what a run differs from the trial of its name."""
    wanted = trial.resolved.recipe.name
    if run.recipe != wanted:
        return f"of the recipe '{run.recipe}', not of '{wanted}'"
    keys = [key for key in dict.fromkeys([*settings, *run.settings]) if settings.get(key) != run.settings.get(key)]
    shown = [
        f"{key} is {_show(run.settings.get(key))} there and {_show(settings.get(key))} in the sweep" for key in keys
    ]
    return f"with other settings: {', '.join(shown[:3])}" + (", …" if len(shown) > 3 else "")


def _show(value: Any) -> str:
    return "not set" if value is None else show(value)


def _problem(folder: Path, text: str, names: Sequence[str]) -> str:
    runs = f"the run {names[0]}" if len(names) == 1 else f"{len(names)} runs, such as {names[0]},"
    return f"{folder}: holds {runs} {text}; choose another folder with --out, or remove the old runs"


def record_end(folder: Path, name: str, state: str, reason: str) -> None:
    """Note that a trial failed or ended early, so that a continued sweep leaves it.

    Raises:
        RunError: the system refuses.
    """
    write_atomically(_record(folder, name), (json.dumps({"state": state, "reason": reason}) + "\n").encode())


def forget_failures(folder: Path, found: Found) -> Found:
    """Take failed trials as interrupted ones, to be continued."""
    failed = {name: run for name, run in found.runs.items() if run.state == FAILED}
    for name in failed:
        _record(folder, name).unlink(missing_ok=True)
    return evolve(found, runs={**found.runs, **{name: evolve(run, state="stopped") for name, run in failed.items()}})


def _record(folder: Path, name: str) -> Path:
    return folder / ENDED / f"{name}.json"
