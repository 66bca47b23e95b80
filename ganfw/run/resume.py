"""Go on with a run from its newest checkpoint."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ganfw.distributed.process_group import ProcessGroup
from ganfw.engine.device import choose_device
from ganfw.engine.random_streams import own_randomness, set_global_state
from ganfw.errors import GanfwError, RunError
from ganfw.plugins.registry import Registry, describe
from ganfw.recipe.document import Recipe
from ganfw.recipe.layers import read_recipe
from ganfw.recipe.origins import excerpt
from ganfw.recipe.resolution import resolve
from ganfw.run.assembly import assemble
from ganfw.run.checkpoints import checkpoints_in
from ganfw.run.directory import check_run_directory, recorded_name
from ganfw.run.load import Checkpoint, open_checkpoint
from ganfw.training.loop import Training


def resume_training(
    run: Path, registry: Registry, overrides: Sequence[str] = (), processes: ProcessGroup | None = None
) -> tuple[Training, tuple[str, ...]]:
    """Build a training that goes on with a run from its newest undamaged checkpoint, or from the start.

    Args:
        run: the run directory.
        registry: what the plugins offer.
        overrides: changes such as `"run.epochs=300"`, only of how long to train and of callbacks.
        processes: the processes that train together, as many as before. None for this alone.

    Returns:
        The training, and why newer checkpoints were passed over, a line each.

    Raises:
        RunError: there is no such run, all of its checkpoints are damaged, or an override would change what it is.
        RecipeError: a package that supplied a part is missing.
    """
    processes = processes or ProcessGroup()
    directory = run if processes.is_main else None
    check_run_directory(run)
    for override in overrides:
        key = override.partition("=")[0].strip()
        if key not in ("run.epochs", "run.max_steps") and not key.startswith("callbacks."):
            raise RunError(
                f"--set {override}: a resume may change run.epochs, run.max_steps and callbacks; for anything "
                f"else start a new run: ganfw run {run / 'recipe.toml'} --set {override}"
            )
    if not checkpoints_in(run):  # stopped before the first one: go on from step 0
        layers = read_recipe(str(run / "recipe.toml"), registry, Path(), alone=True)
        recipe = Recipe.of_layers(layers, recorded_name(run)).with_overrides(overrides)
        return Training(assemble(resolve(recipe, registry), processes), directory), ()
    checkpoint = open_checkpoint(run)
    resolved = resolve(checkpoint.recipe().with_overrides(overrides), registry)
    checkpoint.check_networks(resolved, choose_device(resolved.settings.device))
    state = checkpoint.state_dict()
    try:
        training = Training(assemble(resolved, processes, initial=False), directory)
        _check_samples(checkpoint, training)
        training.load_state_dict(state)
        _try_randomness(state["random"]["global"], training.experiment.device)
    except RunError as error:
        raise RunError(f"{checkpoint.path}: {error}") from error
    except GanfwError:
        raise
    except Exception as error:  # a stranger's checkpoint may hold anything, and each part fails in its own way
        raise RunError(f"{checkpoint.path}: no run can go on from it: {excerpt(describe(error))}") from error
    return training, checkpoint.skipped


def _check_samples(checkpoint: Checkpoint, training: Training) -> None:
    saved, own = checkpoint.manifest.sample_shape, training.experiment.batches.sample_shape
    if saved != own:
        raise RunError(f"it was saved with samples of shape {saved}; the data has {own}")


def _try_randomness(state: dict[str, Any] | None, device: torch.device) -> None:
    """Set the global generators for a moment to what they will be set to when training goes on."""
    if state is not None:
        with own_randomness(0, device):
            set_global_state(state, device)
