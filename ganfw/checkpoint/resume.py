"""Go on with a run from its newest checkpoint."""

from collections.abc import Sequence
from pathlib import Path

from ganfw.checkpoint.folder import checkpoints_in
from ganfw.checkpoint.read import open_checkpoint
from ganfw.device import choose_device
from ganfw.errors import GanfwError, RunError
from ganfw.experiment import assemble
from ganfw.loop import Training
from ganfw.recipe.document import Recipe
from ganfw.recipe.resolve import resolve
from ganfw.registry import Registry
from ganfw.run_directory import check_run_directory


def resume_training(run: Path, registry: Registry, overrides: Sequence[str] = ()) -> tuple[Training, tuple[str, ...]]:
    """Build a training that goes on with a run from its newest undamaged checkpoint, or from the start.

    Args:
        run: the run directory.
        registry: what the plugins offer.
        overrides: changes such as `"run.epochs=300"`, only of how long to train and of callbacks.

    Returns:
        The training, and why newer checkpoints were passed over, a line each.

    Raises:
        RunError: there is no such run, all of its checkpoints are damaged, or an override would change what it is.
        RecipeError: a package that supplied a part is missing.
    """
    check_run_directory(run)
    for override in overrides:
        key = override.partition("=")[0].strip()
        if key not in ("run.epochs", "run.max_steps") and not key.startswith("callbacks."):
            raise RunError(
                f"--set {override}: a resume may change run.epochs, run.max_steps and callbacks; for anything "
                f"else start a new run: ganfw run {run / 'recipe.toml'} --set {override}"
            )
    if not checkpoints_in(run):  # stopped before the first one: go on from step 0
        recipe = Recipe.load(run / "recipe.toml", registry).with_overrides(overrides)
        return Training(assemble(resolve(recipe, registry)), run), ()
    checkpoint = open_checkpoint(run)
    resolved = resolve(checkpoint.recipe().with_overrides(overrides), registry)
    checkpoint.check_networks(resolved, choose_device(resolved.settings.device))
    training = Training(assemble(resolved), run)
    state = checkpoint.state_dict()
    try:
        training.load_state_dict(state)
    except GanfwError:
        raise
    except (RuntimeError, TypeError, ValueError, LookupError, AttributeError) as error:
        raise RunError(f"{checkpoint.path}: its state does not fit its recipe: {error}") from error
    return training, checkpoint.skipped
