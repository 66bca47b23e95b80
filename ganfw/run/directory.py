"""The run directory: made once, never reused, with what was run and on what."""

import json
import platform
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from ganfw.data import data_licence
from ganfw.engine.device import device_name
from ganfw.errors import RecipeError, RunError
from ganfw.files import flush_folder, is_folder, read_bounded, write_atomically
from ganfw.recipe.document import Recipe
from ganfw.recipe.layers import MAX_BYTES
from ganfw.recipe.resolved import ResolvedRecipe
from ganfw.training.experiment import Experiment

MAX_ENVIRONMENT_BYTES = 16 << 20
"""An `environment.json` larger than this (16 MiB, thousands of resumes) is refused."""


def create_run_directory(
    out: str | Path,
    experiment: Experiment,
    command: Sequence[str] = (),
    started_from: Mapping[str, Any] | None = None,
) -> Path:
    """Make `out/<name>-<n>` with the first free n from 1, and write `recipe.toml` and `environment.json` into it.

    Args:
        out: the folder of runs; made if it is missing.
        experiment: what will be run; it must come from a recipe.
        command: the command line, for the record.
        started_from: the checkpoint whose state it begins with, for the record.

    Raises:
        RunError: the folder cannot be made or written.
    """
    if experiment.resolved is None:
        raise RunError("an experiment composed by hand has no recipe; give its training a directory of your own")
    directory = _make_numbered(Path(out), experiment.resolved.recipe.name)
    _write_records(directory, experiment.resolved, experiment, command, started_from)
    return directory


def create_named_directory(directory: Path, experiment: Experiment, command: Sequence[str] = ()) -> None:
    """Make a run directory of a given name with the same files; it appears whole, or not at all.

    Args:
        directory: where nothing is yet; the folder that it is in must be there.
        experiment: what will be run; it must come from a recipe.
        command: the command line, for the record.

    Raises:
        RunError: the directory cannot be made or written.
    """
    if experiment.resolved is None:
        raise RunError("an experiment composed by hand has no recipe; give its training a directory of your own")
    temporary = directory.with_name(f".{directory.name}.tmp")
    try:
        if temporary.exists():  # a crash came between
            shutil.rmtree(temporary)
        temporary.mkdir()
        _write_records(temporary, experiment.resolved, experiment, command)
        temporary.rename(directory)
        flush_folder(directory.parent)
    except OSError as error:
        raise RunError(f"{directory}: the run directory cannot be made: {error.strerror}") from error


def _write_records(
    directory: Path,
    resolved: ResolvedRecipe,
    experiment: Experiment,
    command: Sequence[str],
    started_from: Mapping[str, Any] | None = None,
) -> None:
    """Write what says what is run, and on what."""
    write_atomically(directory / "recipe.toml", resolved.to_toml(qualified=True).encode())
    lineage = {} if started_from is None else {"started_from": dict(started_from)}
    environment = {"name": resolved.recipe.name, **lineage, **describe_environment(experiment, command), "resumed": []}
    write_atomically(directory / "environment.json", _to_json(environment))


def check_run_directory(directory: Path) -> None:
    """Make sure that a directory is one that `create_run_directory` made, and that nothing in it leads elsewhere.

    Raises:
        RunError: it is not.
    """
    if not is_folder(directory):
        raise RunError(f"{directory}: no such run directory; see: ganfw runs")
    if not (directory / "environment.json").is_file():
        raise RunError(f"{directory}: not a run directory: it has no environment.json; name the run, not a checkpoint")
    for path in [*directory.glob("*"), *directory.glob("*/*")]:
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise RunError(
                f"{path}: neither a file nor a folder, so a run would be written through it to elsewhere; remove it"
            )


def recorded_name(directory: Path) -> str:
    """Return the name of the recipe that a run directory was made for.

    Raises:
        RunError: the record cannot be read.
    """
    return str(_recorded(directory, "name"))


def _recorded(directory: Path, key: str) -> Any:
    path = directory / "environment.json"
    try:
        return json.loads(read_bounded(path, MAX_ENVIRONMENT_BYTES))[key]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise RunError(f"{path}: cannot be read: {error}") from None


def recorded_data(directory: Path) -> str | None:
    """Return the hash of the data that a run directory was made with, or None where it is not known.

    Raises:
        RunError: the record cannot be read.
    """
    found = _recorded(directory, "data_sha256")
    return None if found is None else str(found)


def record_resume(
    directory: Path, experiment: Experiment, step: int, command: Sequence[str] = (), *, accept_other_data: bool = False
) -> None:
    """Note in a run directory that a run continues: the recipe, if it has changed, and from which step on what.

    Raises:
        RunError: the directory cannot be read or written.
    """
    path = directory / "environment.json"
    try:
        environment = json.loads(read_bounded(path, MAX_ENVIRONMENT_BYTES))
        accepted = {"accept_other_data": True} if accept_other_data else {}
        environment["resumed"].append({"step": step, **accepted, **describe_environment(experiment, command)})
        content = _to_json(environment)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise RunError(f"{path}: cannot be read: {error}") from None
    write_atomically(path, content)
    recipe = directory / "recipe.toml"
    if experiment.resolved is not None and not _holds(recipe, experiment.resolved):
        write_atomically(recipe, experiment.resolved.to_toml(qualified=True).encode())


def _holds(path: Path, resolved: ResolvedRecipe) -> bool:
    """Whether a file holds this recipe already, with the origins of its values, which a checkpoint does not know."""
    try:
        return Recipe.parse(read_bounded(path, MAX_BYTES).decode(), alone=True) == resolved.qualified()
    except (UnicodeDecodeError, RunError, RecipeError):
        return False


def _make_numbered(out: Path, name: str) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
        taken = [path.name.removeprefix(f"{name}-") for path in out.glob(f"{name}-*")]
        number = max((int(suffix) for suffix in taken if suffix.isdecimal()), default=0)
        while True:
            number += 1
            try:
                directory = out / f"{name}-{number}"
                directory.mkdir()  # exclusive: of two runs that start at once, each gets its own
                return directory
            except FileExistsError:
                continue
    except OSError as error:
        raise RunError(f"{out}: runs cannot be written here: {error.strerror}; choose another with --out") from None


def describe_environment(experiment: Experiment, command: Sequence[str] = ()) -> dict[str, Any]:
    """Return what a reader needs to run this again: versions, device, parts, data, seed, code."""
    device = experiment.device
    return {
        "command": shlex.join(command),
        "ganfw": version("ganfw"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
        "device": str(device),
        "device_name": device_name(device),
        "threads": torch.get_num_threads(),
        "processes": experiment.processes.size,
        "seed": experiment.settings.seed,
        "total_steps": experiment.batches.steps(experiment.settings.max_steps, experiment.settings.epochs),
        "data_sha256": experiment.data_sha256,
        "data_licence": data_licence(experiment.data),
        "initial_weights": dict(experiment.initial_weights),
        "git_commit": _git_commit(),
        "parts": describe_parts(experiment),
    }


def describe_parts(experiment: Experiment) -> dict[str, dict[str, str]]:
    """Return, for each recipe table, which part of which package in which version was used."""
    return {
        address: {
            "kind": part.part.kind,
            "name": part.part.name,
            "distribution": part.plugin.distribution,
            "version": part.plugin.version,
            "target": part.part.target,
        }
        for address, part in experiment.registered.items()
    }


def _to_json(value: Any) -> bytes:
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    return text.encode(errors="backslashreplace")  # of a path that is not UTF-8: an escape of JSON's


def _git_commit() -> str | None:
    """Return the commit of the working directory, with `-dirty` if it was changed, or None outside a checkout."""
    try:
        described = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip()
