"""`ganfw run` and `ganfw resume`: train, and continue a run."""

import contextlib
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganfw.cli.options import overrides_option, with_registry
from ganfw.errors import PartFailure, RunError, TrainingError
from ganfw.plugins.registry import Registry
from ganfw.recipe.document import Recipe
from ganfw.recipe.resolution import resolve
from ganfw.terminal import say, say_table

if TYPE_CHECKING:
    from ganfw.training.loop import Training


@click.command(short_help="Train the experiment of a recipe.")
@click.argument("recipe")
@overrides_option
@click.option("--device", metavar="D", help="auto, cpu, cuda, cuda:1 or mps; the same as --set run.device=D.")
@click.option("--seed", type=int, metavar="S", help="The same as --set run.seed=S.")
@click.option(
    "--from",
    "start",
    metavar="RUN[@STEP]",
    help="Start from the whole state of a checkpoint of another run, with the settings of this recipe.",
)
@click.option("--profile", is_flag=True, help="Record some steps; the same as --set callbacks.profile.use=profile.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="runs",
    show_default=True,
    help="The folder of run directories.",
)
@with_registry
def run(
    recipe: str,
    overrides: tuple[str, ...],
    device: str | None,
    seed: int | None,
    start: str | None,
    profile: bool,
    out: Path,
    registry: Registry,
) -> None:
    """Train the experiment of a RECIPE, a file or a name that `ganfw recipes` lists.

    Leaves a new directory in the folder of runs and prints its path. Ctrl-C stops after the current step;
    `ganfw resume` continues.
    """
    if device is not None:
        overrides = (*overrides, f"run.device={device}")
    if seed is not None:
        overrides = (*overrides, f"run.seed={seed}")
    if profile:
        overrides = (*overrides, "callbacks.profile.use=profile")
    resolved = resolve(_named(recipe, registry).with_overrides(overrides), registry)

    from ganfw.distributed.process_group import join_processes
    from ganfw.run.assembly import assemble
    from ganfw.run.directory import create_run_directory
    from ganfw.run.resume import checkpoint_of, start_from
    from ganfw.training.loop import Training

    with join_processes() as processes:
        checkpoint = None if start is None else checkpoint_of(start)
        lineage = None if checkpoint is None else checkpoint.origin()
        if checkpoint is None:
            training = Training(assemble(resolved, processes))
        else:
            training = start_from(checkpoint, resolved, processes)
        if processes.is_main:
            command = ["ganfw", *sys.argv[1:]]
            training.directory = create_run_directory(out, training.experiment, command, lineage)
        _train(training)


def _named(source: str, registry: Registry) -> Recipe:
    """Load a recipe; that of a run directory is called as it was when the run began."""
    recipe, path = Recipe.load(source, registry), Path(source)
    if path.name != "recipe.toml" or not path.with_name("environment.json").is_file():
        return recipe

    from ganfw.run.directory import recorded_name

    return Recipe(name=recorded_name(path.parent), extends=recipe)


@click.command(short_help="Continue a run as if it had never stopped.")
@click.argument("run_directory", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change how long and where the run trains, folders of its data, or a callback. Repeatable.",
)
@click.option("--accept-other-data", is_flag=True, help="Continue although the data is not that of the run.")
@click.option("--allow-other-size", is_flag=True, help="Continue with another number of processes, which is not exact.")
@with_registry
def resume(
    run_directory: Path,
    overrides: tuple[str, ...],
    accept_other_data: bool,
    allow_other_size: bool,
    registry: Registry,
) -> None:
    """Continue a RUN from its newest checkpoint, bit for bit as if it had never stopped.

    With --set run.epochs=N a finished run is trained for longer.
    """
    from ganfw.distributed.process_group import join_processes
    from ganfw.files import locked
    from ganfw.run.directory import check_run_directory, record_resume
    from ganfw.run.resume import resume_training

    check_run_directory(run_directory)
    with join_processes() as processes, locked(run_directory) if processes.is_main else contextlib.nullcontext():
        training, skipped = resume_training(
            run_directory,
            registry,
            overrides,
            processes,
            accept_other_data=accept_other_data,
            allow_other_size=allow_other_size,
        )
        if processes.is_main:
            for reason in skipped:
                say(f"skipped a damaged checkpoint: {reason}", err=True)
            command = ["ganfw", *sys.argv[1:]]
            record_resume(
                run_directory, training.experiment, training.step, command, accept_other_data=accept_other_data
            )
            if training.finished:
                more = "for more: --set run.epochs=N, or run.max_steps"
                say(f"all {training.total_steps} steps are done; {more}", err=True)
            else:
                say(f"continuing from step {training.step}", err=True)
        _train(training)


def _train(training: "Training") -> None:
    """Train until the end or a signal; print the run directory, and how to continue if steps are left."""
    from ganfw.training.signals import stop_on_signals

    directory = training.directory
    if directory is None:  # another process is the main one, and prints
        with stop_on_signals(training) as received:
            training.run()
        _exit(received)
        return
    _show_summary(training)
    was_finished = training.finished
    with stop_on_signals(training) as received:
        try:
            training.run()
        except TrainingError as error:
            raise TrainingError(f"{error}\n{_other_settings(training, directory)}") from error
        except (RunError, PartFailure) as error:
            raise type(error)(f"{error}\n{_last_good(directory)}") from error.__cause__
    say(directory)
    if training.finished:
        if not was_finished:
            say(f"done: {training.step} steps in {training.seconds:.1f} s", err=True)
        shape = training.experiment.batches.sample_shape
        command = f"ganfw sample {shlex.quote(str(directory))}"
        drawn = len(shape) == 3 and shape[0] in (1, 3)
        say(f"look at it: {command}" if drawn else f"draw samples: {command} -o samples.npy", err=True)
    else:
        left = training.total_steps - training.step
        say(f"stopped by {training.stop_reason} after step {training.step}; {left} steps are left", err=True)
        say(_last_good(directory), err=True)
    _exit(received)


def _exit(received: Sequence[signal.Signals]) -> None:
    """Exit as a process does that a signal has stopped, if one has."""
    if received:
        sys.exit(128 + received[0])


def _last_good(directory: Path) -> str:
    """Name the checkpoint to continue from, and the command."""
    from ganfw.run.checkpoints import checkpoints_in
    from ganfw.run.load import open_checkpoint

    if not directory.is_dir():
        return f"{directory} is gone; if it was moved, continue with: ganfw resume WHERE_IT_IS_NOW"
    advice = f"continue with: ganfw resume {shlex.quote(str(directory))}"
    if not checkpoints_in(directory):
        return f"the run has no checkpoint yet, so it starts again at step 0; {advice}"
    try:
        return f"the last good checkpoint is {open_checkpoint(directory).path}; {advice}"
    except RunError as error:
        return str(error)


def _other_settings(training: "Training", directory: Path) -> str:
    """Say how a run that diverged starts again: from its last healthy step, with a lower rate."""
    from ganfw.run.checkpoints import checkpoints_in
    from ganfw.run.load import open_checkpoint

    resolved, quoted = training.experiment.resolved, shlex.quote(str(directory))
    assert resolved is not None
    rates = {name: resolved.parameters(f"optimizer.{name}").get("lr") for name in resolved.names_in("optimizer")}
    lower = [f"--set optimizer.{name}.lr={rate / 2:g}" for name, rate in rates.items() if isinstance(rate, float)]
    command = " ".join([f"ganfw run {shlex.quote(str(directory / 'recipe.toml'))}", *lower])
    if not checkpoints_in(directory):
        return f"a resume would end in the same way; it has no checkpoint, so start with other settings: {command}"
    step = open_checkpoint(directory).manifest.step
    command = command.replace("recipe.toml", f"recipe.toml --from {quoted}@{step}", 1)
    return f"a resume would end in the same way; start from step {step}, the last healthy one, with others: {command}"


def _show_summary(training: "Training") -> None:
    """Print in a few lines what is about to be trained."""
    experiment = training.experiment
    assert experiment.resolved is not None
    settings = experiment.settings
    limit = ""
    if settings.max_steps is not None and training.total_steps < settings.max_steps:
        limit = f": run.epochs = {settings.epochs} ends before run.max_steps = {settings.max_steps:,}"
    rows = [(*row[:2], row[2] + limit) if row[0] == "step" else row for row in experiment.summary()]
    head = f"{experiment.resolved.recipe.name} on {experiment.device}, seed {experiment.settings.seed}"
    say(f"{head} -> {training.directory}", err=True, bold=True)
    say_table(rows, err=True)
    say(err=True)
