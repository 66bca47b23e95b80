"""`ganfw verify`: does a recipe still have the results that it expects?"""

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganfw.cli.options import json_option, overrides_option, path_type, with_registry
from ganfw.errors import RecipeError, RunError
from ganfw.evaluation.table import number_text
from ganfw.files import locked
from ganfw.plugins.registry import Registry
from ganfw.recipe.expectations import FORMS
from ganfw.terminal import say, say_table
from ganfw.training.signals import stop_on_signals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ganfw.ledger.records import RunRecord
    from ganfw.protocols import Launcher
    from ganfw.sweep.trials import Trial
    from ganfw.sweep.verification import Check


@click.command(short_help="Train, and compare with the results that a recipe expects.")
@click.argument("recipes", nargs=-1, metavar="[RECIPE]...")
@click.option("--quick", is_flag=True, help="Verify the quick form of each recipe, which takes seconds.")
@overrides_option
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many runs are trained at once.  [default: one for each GPU, or one]",
)
@click.option("--out", type=path_type, metavar="FOLDER", help="Keep the runs here; the same command continues them.")
@json_option
@with_registry
def verify(
    recipes: tuple[str, ...],
    quick: bool,
    overrides: tuple[str, ...],
    jobs: int | None,
    out: Path | None,
    as_json: bool,
    registry: Registry,
) -> None:
    """Train each RECIPE anew, and compare its results with those that it expects; by default all recipes that do.

    A recipe says in [expect.full] and [expect.quick] within which bands its results are. If a run is outside of one,
    two runs with other seeds decide with it. The exit status is 1 if a recipe misses what it expects. With --set you
    see whether a change keeps the results.
    """
    from ganfw.sweep.verification import RUNS, subjects_of

    form = FORMS[quick]
    sources, broken = (dict.fromkeys(recipes), ()) if recipes else _that_expect(form, registry)
    subjects = subjects_of(sources, form, registry, overrides)
    launcher: Launcher = registry.find("launcher", "local").build({}, {} if jobs is None else {"jobs": jobs})
    with _folder(out) as folder:
        say(f"recipes to verify: {len(subjects)}, {form} form, {launcher.jobs} at once", err=True, bold=True)
        runs = _train(folder, [each.trials[0] for each in subjects], launcher, registry)
        doubted = [each for each in subjects if not _passed(each.compare(runs))]
        if doubted:
            say(f"outside a band: {', '.join(each.name for each in doubted)}; {RUNS - 1} more seeds decide", err=True)
            runs = {**runs, **_train(folder, [trial for each in doubted for trial in each.trials], launcher, registry)}
        for run in runs.values():
            if run.reason:
                say(f"{run.state}: {run.name}: {run.reason}", err=True)
    results = {each.name: each.compare(runs) for each in subjects}
    if as_json:
        say(json.dumps({name: [check.to_json() for check in checks] for name, checks in results.items()}, indent=2))
    else:
        say_table(_rows(results))
    missed = [*broken, *(name for name, checks in results.items() if not _passed(checks))]
    count = f"{len(broken) + len(results) - len(missed)} of {len(broken) + len(results)} as expected"
    say(f"{count}; not {', '.join(missed)}" if missed else count, err=True)
    sys.exit(1 if missed else 0)


def _passed(checks: "Sequence[Check]") -> bool:
    return all(check.passed for check in checks)


def _that_expect(form: str, registry: Registry) -> tuple[Sequence[str], Sequence[str]]:
    """Return the names of the registered recipes that expect results of a form, and of broken ones; report the rest.

    One whose packages are not all installed is not broken: a package may have recipes for parts of others.
    """
    from ganfw.sweep.verification import registered_recipes

    found = registered_recipes(form, registry)
    for name, reason in found.broken.items():
        say(f"broken: {name}: {reason}", err=True)
    if not found.expecting:
        raise RecipeError(f"no recipe has an [expect.{form}]; make one with: ganfw table SWEEP --format expect")
    for name, absent in found.incomplete.items():
        say(f"not verified: {name}: it needs {', '.join(absent)}: not installed", err=True)
    if found.lacking:
        say(f"without [expect.{form}]: {', '.join(found.lacking)}", err=True)
    return found.expecting, tuple(found.broken)


@contextlib.contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    """Yield the folder of the runs, which is removed at the end if the user named none."""
    if out is None:
        with tempfile.TemporaryDirectory(prefix="ganfw-verify-") as name:
            yield Path(name)
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{out}: no runs can be written here: {error.strerror}; choose another with --out") from None
    with locked(out, "another process verifies in this folder"):
        yield out


def _train(
    folder: Path, trials: "Sequence[Trial]", launcher: "Launcher", registry: Registry
) -> "Mapping[str, RunRecord]":
    """Train what is not trained yet, and return the runs by their names; exit where a signal stops it."""
    from ganfw.sweep.conductor import Conductor, Waiting
    from ganfw.sweep.folder import LOGS, find_trials

    (folder / LOGS).mkdir(exist_ok=True)
    conductor = Conductor(folder, Waiting(find_trials(folder, trials)), launcher, registry, ["ganfw", *sys.argv[1:]])
    with stop_on_signals(conductor) as received:
        conductor.run()
    if received:
        sys.exit(128 + received[0])
    found = find_trials(folder, trials)
    named = zip(trials, found.trials, strict=True)  # recipes with the same settings may share a run
    return {trial.name: found.runs[run.name] for trial, run in named if run.name in found.runs}


def _rows(results: "Mapping[str, Sequence[Check]]") -> Iterator[Sequence[str]]:
    """Yield the table: a row for each value, the recipe's name in the first of its rows."""
    yield "recipe", "result", "value", "expected", ""
    for name, checks in results.items():
        for place, check in enumerate(checks):
            low, high = check.band
            yield "" if place else name, check.key, number_text(check.value), f"{low:g} to {high:g}", check.verdict
