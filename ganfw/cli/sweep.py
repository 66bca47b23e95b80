"""`ganfw sweep`: many runs as one experiment."""

import shlex
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganfw.cli.options import overrides_option, path_type, with_registry
from ganfw.cli.runs import say_results
from ganfw.errors import InputError, RunError
from ganfw.files import is_folder, locked, write_atomically
from ganfw.plugins.registry import Registry
from ganfw.terminal import say, say_table
from ganfw.training.signals import stop_on_signals

if TYPE_CHECKING:
    import signal
    from collections.abc import Iterable, Sequence

    from ganfw.ledger.records import RunRecord
    from ganfw.protocols import Launcher
    from ganfw.sweep.conductor import TrialSource
    from ganfw.sweep.definition import Sweep
    from ganfw.sweep.folder import Found

SWEEPS = Path("sweeps")
"""The folder of sweeps' folders."""
HELD = "another process runs this sweep"


@click.command(short_help="Train many runs, and compare them: grids, variants, seeds.")
@click.argument("source", metavar="SWEEP|RECIPE")
@click.option(
    "--grid", multiple=True, metavar="KEY=V,V", help="A key that varies: --grid loss.use=bce,hinge. Repeatable."
)
@click.option("--seeds", metavar="N|S,S", help="How many seeds, or a list of them.  [default: 0]")
@overrides_option
@click.option(
    "--evaluate",
    type=int,
    metavar="N",
    help="Samples for the evaluation of each trial at its end; 0 for none.  [default: 10000]",
)
@click.option("--jobs", type=int, metavar="N", help="How many trials run at once.  [default: one for each GPU, or one]")
@click.option("--retry", is_flag=True, help="Also continue the failed trials.")
@click.option("--dry-run", is_flag=True, help="Only check and list the trials.")
@click.option("--out", type=path_type, metavar="FOLDER", help="The sweep's folder.  [default: sweeps/NAME]")
@with_registry
def sweep(
    source: str,
    grid: tuple[str, ...],
    seeds: str | None,
    overrides: tuple[str, ...],
    evaluate: int | None,
    jobs: int | None,
    retry: bool,
    dry_run: bool,
    out: Path | None,
    registry: Registry,
) -> None:
    """Run the trials of a SWEEP, a file or the folder of one, or of a RECIPE with --grid and --seeds.

    Every trial is checked before the first one starts. Each has a run directory in the folder of the sweep, named after
    the settings that differ. If a trial fails, the others continue. Ctrl-C stops all trials, each with a checkpoint.
    The same command continues the sweep: it keeps finished trials and resumes the others. At the end it prints `ganfw
    table`.
    """
    from ganfw.sweep.launching import build_launcher

    options = {"--grid": grid, "--seeds": seeds, "--set": overrides, "--evaluate": evaluate}
    described, folder = _read(
        Path(source), registry, [name for name, value in options.items() if value not in (None, ())]
    )
    if described is None:
        from ganfw.sweep.definition import sweep_of_options

        described = sweep_of_options(source, registry, seeds=seeds, evaluate=evaluate, overrides=overrides, grid=grid)
    folder = out or folder or SWEEPS / described.recipe.name
    launcher = build_launcher(described, registry, jobs)
    run = _search if described.search else _grid
    run(described, folder, registry, launcher, retry=retry, dry_run=dry_run)


def _grid(
    described: "Sweep", folder: Path, registry: Registry, launcher: "Launcher", *, retry: bool, dry_run: bool
) -> None:
    """Run what is left of the trials of a grid."""
    from ganfw.sweep.conductor import Waiting
    from ganfw.sweep.folder import find_trials, forget_failures
    from ganfw.sweep.trials import plan_trials

    trials = plan_trials(described, registry)
    found = find_trials(folder, trials)
    if dry_run:
        states = {name: run.state for name, run in found.runs.items()}
        say_table([("trial", "state"), *((each.name, states.get(each.name, "waiting")) for each in found.trials)])
        _say_others(folder, found)
        return
    _prepare(folder, described)
    with locked(folder, HELD):
        found = find_trials(folder, trials)
        found = forget_failures(folder, found) if retry else found
        _say_plan(folder, found, launcher.jobs)
        received = _conduct(folder, Waiting(found), launcher, registry)
        found = find_trials(folder, trials)
    _say_end(folder, [found.runs[each.name] for each in found.trials if each.name in found.runs], len(found.trials))
    _exit(received, found.runs.values())


def _search(
    described: "Sweep", folder: Path, registry: Registry, launcher: "Launcher", *, retry: bool, dry_run: bool
) -> None:
    """Run what is left of a search."""
    from ganfw.ledger.records import load_runs
    from ganfw.sweep.search import SearchTrials, check_search
    from ganfw.sweep.study import require_optuna

    assert described.search is not None
    if retry:
        raise InputError("--retry: a search chooses other settings instead of those that failed; leave the option out")
    if not dry_run:
        require_optuna()
    check_search(described, registry)
    if dry_run:
        count, seeds = described.search.trials, len(described.seeds)
        of_each = " of each variant" if len(described.variants) > 1 else ""
        say(f"settings{of_each}: {count}, seeds: {seeds}; the recipe is right at the ends of all ranges")
        return
    _prepare(folder, described)
    with locked(folder, HELD):
        trials = SearchTrials(described, folder, registry)
        done = f", {trials.done} done" if trials.done else ""
        say(f"{folder}: a search of {trials.total} trials{done}, {launcher.jobs} at once", err=True, bold=True)
        received = _conduct(folder, trials, launcher, registry)
    runs = [run for run in load_runs(folder) if not trials.has_lost(run.name)]
    total = trials.total if received else len(runs)  # settings may repeat, and the seeds of one that fails are not run
    _say_end(folder, runs, total, described.search.metric, trials.best)
    _exit(received, runs)


def _conduct(folder: Path, trials: "TrialSource", launcher: "Launcher", registry: Registry) -> "list[signal.Signals]":
    """Run trials until they are done, or a signal comes."""
    from ganfw.sweep.conductor import Conductor

    conductor = Conductor(folder, trials, launcher, registry, ["ganfw", *sys.argv[1:]])
    with stop_on_signals(conductor) as received:
        conductor.run()
    return received


def _exit(received: "list[signal.Signals]", runs: "Iterable[RunRecord]") -> None:
    """Exit as a process does that a signal has stopped, if one has; with 1 if a trial failed."""
    from ganfw.sweep.worker import FAILED

    if received:
        sys.exit(128 + received[0])
    if any(run.state == FAILED for run in runs):
        sys.exit(1)


def _read(path: Path, registry: Registry, options: list[str]) -> "tuple[Sweep | None, Path | None]":
    """Read a sweep from a file or a folder; return its folder too, and None where it is a recipe."""
    from ganfw.sweep.definition import FILE, read_sweep

    file = path / FILE if is_folder(path) else path
    if is_folder(path) and not file.is_file():
        raise InputError(f"{path}: not the folder of a sweep: it has no {FILE}; name one that has")
    if not _says_recipe(file):
        return None, None
    if options:
        raise InputError(f"{', '.join(options)}: what a sweep varies is written in its file; change {file}")
    return read_sweep(file, registry), file.parent if file.name == FILE else SWEEPS / file.stem


def _says_recipe(file: Path) -> bool:
    """Whether a file is that of a sweep, which names a recipe; what is wrong with it is said when it is read."""
    try:
        if file.suffix != ".toml" or not file.is_file():
            return False
        with file.open("rb") as content:
            return "recipe" in tomllib.load(content)
    except (ValueError, OSError):
        return False


def _prepare(folder: Path, described: "Sweep") -> None:
    """Make the folder of a sweep, and write into it what the sweep is."""
    from ganfw.sweep.definition import FILE
    from ganfw.sweep.folder import LOGS

    try:
        (folder / LOGS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder}: no sweep can be written here: {error.strerror}; choose another with --out") from None
    if described.file != folder / FILE:
        write_atomically(folder / FILE, described.to_toml(folder).encode())


def _say_plan(folder: Path, found: "Found", jobs: int) -> None:
    """Say in a line what there is to do."""
    count, waiting = len(found.trials), len(found.waiting())
    begun = sum(found.runs[each.name].step > 0 for each in found.waiting() if each.name in found.runs)
    done = f", {count - waiting} done" if waiting < count else ""
    resumed = f", {begun} to resume" if begun else ""
    say(f"{folder}: {count} trials{done}{resumed}, {jobs} at once", err=True, bold=True)
    _say_others(folder, found)


def _say_end(
    folder: Path, runs: "Sequence[RunRecord]", total: int, metric: str = "", best: "Sequence[str]" = ()
) -> None:
    """Print the results, those of a search from the best on, then what failed and what is left.

    Where the best settings were trained again, only their results are printed.
    """
    from ganfw.ledger.records import Runs
    from ganfw.sweep.folder import LOGS
    from ganfw.sweep.worker import ENDED_EARLY, FAILED, FINISHED, PRUNED

    if finished := Runs(run for run in runs if run.state == FINISHED):
        of_best = [run for run in finished if run.name in best]
        say_results(Runs(of_best) if of_best else finished, [metric] if metric else [], best_first=bool(metric))
    failed = [run for run in runs if run.state == FAILED]
    for run in failed:
        say(f"failed: {run.name}: {run.reason}", err=True)
    early = sum(run.state == ENDED_EARLY for run in runs)
    pruned = sum(run.state == PRUNED for run in runs)
    parts = [f"{len(finished)} of {total} trials are finished"]
    parts += [f"{early} ended early by a callback"] if early else []
    parts += [f"{pruned} pruned"] if pruned else []
    parts += [f"{len(failed)} failed"] if failed else []
    say("; ".join(parts), err=True)
    again = f"ganfw sweep {shlex.quote(str(folder))}"
    if left := total - len(finished) - len(failed) - early - pruned:
        say(f"{left} left; continue with: {again}", err=True)
    elif failed:
        retry = "" if metric else f"; try again with: {again} --retry"
        say(f"the output of each is in {folder / LOGS}{retry}", err=True)


def _say_others(folder: Path, found: "Found") -> None:
    """Name what is in the folder and no trial of the sweep."""
    if found.others:
        names = ", ".join(found.others[:3]) + (f" and {len(found.others) - 3} more" if len(found.others) > 3 else "")
        say(f"{folder}: kept, but not part of the sweep any more: {names}", err=True)
