"""Continue a run from its newest checkpoint, or start another from one of its checkpoints."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ganfw.distributed.process_group import ProcessGroup
from ganfw.engine.device import choose_device
from ganfw.engine.random_streams import own_randomness, seeded_generator, set_global_state
from ganfw.errors import GanfwError, RunError
from ganfw.files import is_folder
from ganfw.plugins.registry import Registry, describe
from ganfw.recipe.document import Recipe
from ganfw.recipe.layers import read_recipe
from ganfw.recipe.origins import excerpt
from ganfw.recipe.resolution import resolve
from ganfw.recipe.resolved import ResolvedRecipe
from ganfw.recipe.tables import network_address
from ganfw.run.agreement import require_same
from ganfw.run.assembly import assemble
from ganfw.run.checkpoints import checkpoint_at, checkpoints_in
from ganfw.run.directory import check_run_directory, recorded_data, recorded_name
from ganfw.run.load import SAMPLING_TABLES, Checkpoint, open_checkpoint
from ganfw.training.experiment import Experiment
from ganfw.training.loop import Training

_LENGTH_AND_PLACE = r"run\.(epochs|max_steps|device|workers)|callbacks\..+"
_PATHS = r"embedding\.weights|data\.(\w+_)?(root|folder|path|file|directory)"
"""Keys that a resume may change: they are not what the run is."""


def resume_training(
    run: str | Path,
    registry: Registry,
    overrides: Sequence[str] = (),
    processes: ProcessGroup | None = None,
    *,
    accept_other_data: bool = False,
    allow_other_size: bool = False,
) -> tuple[Training, tuple[str, ...]]:
    """Build a training that continues a run from its newest undamaged checkpoint, or from the start.

    Hold the run with `ganfw.files.locked` from before this until the training has ended, or what is read here may be
    behind what another process writes.

    Args:
        run: the run directory.
        registry: what the plugins offer.
        overrides: changes such as `"run.epochs=300"`, only of how long and where to train, and of callbacks.
        processes: the processes that train together. None for only this one.
        accept_other_data: continue with data that is not that of the run.
        allow_other_size: continue with more or fewer processes than before, which is not exact.

    Returns:
        The training, and why newer checkpoints were passed over, a line each.

    Raises:
        RunError: the run does not exist, all of its checkpoints are damaged, its data is other data, the number of
            processes is another one, or an override would change what it is.
        RecipeError: a package that supplied a part is missing.
    """
    run, processes = Path(run), processes or ProcessGroup()
    directory = run if processes.is_main else None
    check_run_directory(run)
    for override in overrides:
        key = override.partition("=")[0].strip()
        if not re.fullmatch(f"{_LENGTH_AND_PLACE}|{_PATHS}", key):
            raise RunError(
                f"--set {override}: a resume may change run.epochs, run.max_steps, run.device, run.workers, the "
                "folders of [data], embedding.weights and callbacks; for anything else start a new run: "
                f"ganfw run {run / 'recipe.toml'} --from {run} --set {override}"
            )
    if not checkpoints_in(run):  # stopped before the first one: start from step 0
        layers = read_recipe(str(run / "recipe.toml"), registry, Path(), alone=True)
        recipe = Recipe.of_layers(layers, recorded_name(run)).with_overrides(overrides)
        training = Training(assemble(resolve(recipe, registry), processes), directory)
        _check_data(run, recorded_data(run), training, accept_other_data)
        return training, ()
    checkpoint = open_checkpoint(run)
    resolved = resolve(checkpoint.recipe().with_overrides(overrides), registry)
    training = _load(checkpoint, resolved, processes, directory, allow_other_size=allow_other_size)
    _check_data(run, checkpoint.manifest.data_sha256, training, accept_other_data)
    return training, checkpoint.skipped


def start_from(checkpoint: Checkpoint, resolved: ResolvedRecipe, processes: ProcessGroup | None = None) -> Training:
    """Build a training of a recipe that begins with the whole state of a checkpoint and may change anything else.

    Callbacks begin anew, and so does another part than the checkpoint's; but a network of another part also takes the
    saved weights. Optimizers have the options of the recipe. With another seed, random numbers are those of that
    seed.

    Raises:
        RunError: the state does not fit the recipe's parts, or all steps of the recipe are done.
    """
    training = _load(checkpoint, resolved, processes or ProcessGroup(), None, adapt=True)
    if training.finished:
        raise RunError(
            f"{checkpoint.path}: all {training.total_steps} steps of this recipe are done; for more: "
            "--set run.epochs=N, or run.max_steps"
        )
    return training


def checkpoint_of(text: str) -> Checkpoint:
    """Open the checkpoint that `RUN` or `RUN@STEP` means.

    Raises:
        RunError: there is none, or it is damaged.
    """
    found = re.fullmatch(r"(.+)@([0-9]{1,15})", text, re.DOTALL)
    if found and not is_folder(Path(text)):
        return open_checkpoint(checkpoint_at(Path(found[1]), int(found[2])))
    return open_checkpoint(Path(text))


def _load(
    checkpoint: Checkpoint,
    resolved: ResolvedRecipe,
    processes: ProcessGroup,
    directory: Path | None,
    *,
    adapt: bool = False,
    allow_other_size: bool = False,
) -> Training:
    """Build the training of a recipe, and give it the state of a checkpoint."""
    require_same(processes, {"checkpoint": f"{checkpoint.manifest.step}"})
    checkpoint.check_networks(resolved, choose_device(resolved.settings.device))
    state = checkpoint.state_dict()
    try:
        training = Training(assemble(resolved, processes, initial=False), directory)
        _check_shape(checkpoint, training)
        if adapt:
            _adapt(state, checkpoint, training)
        elif allow_other_size and state["processes"] != processes.size:
            before = state["processes"]
            training.say(
                f"number of processes: {processes.size}, not {before} as before; the run continues, but not bit for bit"
            )
            _begin_window(state, processes)
        device, seed = training.experiment.device, training.experiment.settings.seed
        if (device.type, seed) != (checkpoint.manifest.device, checkpoint.manifest.seed):
            training.say(f"random numbers are drawn anew: the run continues on {device.type} with seed {seed}")
            _begin_anew(state["random"], device, seed, checkpoint.manifest.step)
        training.load_state_dict(state)
        _try_randomness(state["random"]["global"], device)
    except RunError as error:
        raise RunError(f"{checkpoint.path}: {error}") from error
    except GanfwError:
        raise
    except Exception as error:  # a stranger's checkpoint may hold anything, and each part fails in its own way
        raise RunError(f"{checkpoint.path}: no run can continue from it: {excerpt(describe(error))}") from error
    if _samples_alike(checkpoint, resolved):
        checkpoint.check_samples(training.experiment.source, device)
    return training


def _adapt(state: dict[str, Any], checkpoint: Checkpoint, training: Training) -> None:
    """Make saved state into one that an experiment with other settings takes."""
    experiment, saved = training.experiment, state["parts"]
    networks = {network_address(name) for name in experiment.networks}
    if state["processes"] != experiment.processes.size or not _is_same("step", checkpoint, experiment):
        _begin_window(state, experiment.processes)
    state |= {"compiles": training.compiles, "parts": {}}
    for address, part in experiment.stateful_parts().items():
        own = part.state_dict()
        if address not in saved or not (address in networks or _is_same(address, checkpoint, experiment)):
            state["parts"][address] = own
        elif isinstance(part, torch.optim.Optimizer):
            state["parts"][address] = {**saved[address], "param_groups": own["param_groups"]}
        else:
            state["parts"][address] = saved[address]


def _begin_window(state: dict[str, Any], processes: ProcessGroup) -> None:
    """Leave out the sums of a window that is not full: they are those of other processes, or of another step."""
    state |= {"processes": processes.size, "means": {}, "running_means": {"steps": {}, "sums": {}}}


def _is_same(address: str, checkpoint: Checkpoint, experiment: Experiment) -> bool:
    """Whether saved state is that of the same part, of the same networks; that of callbacks belongs to another run."""
    then, now = checkpoint.manifest.parts.get(address, {}), experiment.registered.get(address)
    table, _, name = address.partition(".")
    if now is None or table == "callbacks":
        return False
    if (now.plugin.distribution, now.part.name) != (then.get("distribution"), then.get("name")):
        return False
    if table not in ("optimizer", "averaging") or experiment.resolved is None:
        return True
    networks = checkpoint.recipe().tables.get(table, {}).get(name, {}).get("networks") or [name]
    return networks == experiment.resolved.networks_of(address)


def _samples_alike(checkpoint: Checkpoint, resolved: ResolvedRecipe) -> bool:
    """Whether a recipe samples with the parts that a checkpoint was saved with."""
    then, now = checkpoint.recipe().tables, resolved.qualified().tables
    return all(then.get(table) == now.get(table) for table in SAMPLING_TABLES)


def _begin_anew(random: dict[str, Any], device: torch.device, seed: int, step: int) -> None:
    """Replace saved random numbers, which cannot continue on another device or with another seed."""
    random["training"] = seeded_generator(device, seed, "training", step).get_state()
    random["global"] = None


def _check_shape(checkpoint: Checkpoint, training: Training) -> None:
    saved, own = checkpoint.manifest.sample_shape, training.experiment.batches.sample_shape
    if saved != own:
        raise RunError(f"it was saved with samples of shape {saved}; the data has {own}, which must be the same")


def _check_data(run: Path, saved: str | None, training: Training, accept: bool) -> None:
    found = training.experiment.data_sha256
    if saved is not None and found != saved and not accept:
        raise RunError(
            f"{run}: the data is not that of the run: its SHA-256 is {found}, not {saved}; restore the data of the "
            "run, or continue with this data by --accept-other-data"
        )


def _try_randomness(state: dict[str, Any] | None, device: torch.device) -> None:
    """Set the global generators for a moment to what they will be set to when training continues."""
    if state is not None:
        with own_randomness(0, device):
            set_global_state(state, device)
