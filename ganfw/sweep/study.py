"""Optuna's side of a search: its storage in the folder of a sweep, and what it may choose."""

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganfw.errors import InputError, RunError
from ganfw.recipe.origins import KeyPath
from ganfw.sweep.definition import Range, Sweep, pattern_of

if TYPE_CHECKING:
    import optuna

JOURNAL = "search.journal"
"""Optuna's storage in the folder of the sweep."""


def require_optuna() -> None:
    """Make sure that Optuna is installed.

    Raises:
        InputError: it is not.
    """
    if importlib.util.find_spec("optuna") is None:
        raise InputError("a search needs Optuna: pip install 'ganfw[search]'")


class _NoLock:
    """The lock of the sweep's folder is enough: Optuna's own would outlive a process that is killed."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


def open_storage(folder: Path) -> "optuna.storages.BaseStorage":
    """Open Optuna's storage in the folder of a sweep, or make it.

    Raises:
        RunError: it cannot be read or written.
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    lock: Any = _NoLock()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    path = folder / JOURNAL
    try:
        if path.exists():
            content = path.read_bytes()
            if not content.endswith(b"\n"):  # the last line was cut short by a kill or a full disk
                with path.open("r+b") as file:
                    file.truncate(content.rfind(b"\n") + 1)
        return JournalStorage(JournalFileBackend(str(path), lock_obj=lock))
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror}") from error


def open_study(storage: "optuna.storages.BaseStorage", folder: Path, sweep: Sweep, variant: str) -> "optuna.Study":
    """Open the study of a variant, or begin it.

    Raises:
        RunError: it was begun with other settings, or cannot be written.
    """
    import optuna

    try:
        study = optuna.create_study(storage=storage, study_name=variant or "sweep", load_if_exists=True)
        said = _sense_of(sweep)
        if study.user_attrs.get("sweep", said) != said:
            raise RunError(
                f"{folder}: its search was started with other settings, and results would be mixed; choose another "
                "folder with --out"
            )
        study.set_user_attr("sweep", said)
    except OSError as error:
        raise RunError(f"{folder / JOURNAL}: cannot be written: {error.strerror}") from error
    study.pruner = optuna.pruners.MedianPruner()
    return study


def _sense_of(sweep: Sweep) -> str:
    """Return what may not change during a search: not where, nor how many settings, nor what follows it."""
    tables = {key: value for key, value in sweep.layers.tables.items() if key not in ("launcher", "recipe")}
    tables["search"] = {key: value for key, value in tables["search"].items() if key not in ("trials", "best")}
    return json.dumps([sweep.recipe.as_base().tables, tables], sort_keys=True, default=str)


def distributions(keys: Mapping[KeyPath, Any]) -> dict[str, Any]:
    """Return the ranges and lists of keys as Optuna has them."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    def distribution(choice: Any) -> Any:
        if not isinstance(choice, Range):
            return CategoricalDistribution(choice)
        if isinstance(choice.low, int) and isinstance(choice.high, int):
            return IntDistribution(choice.low, choice.high, log=choice.log)
        return FloatDistribution(choice.low, choice.high, log=choice.log)

    return {pattern_of(path): distribution(choice) for path, choice in keys.items()}


def sampler(name: str, seed: int) -> Any:
    """Return Optuna's sampler of a name in `SAMPLERS`."""
    from optuna.samplers import RandomSampler, TPESampler

    return TPESampler(seed=seed) if name == "tpe" else RandomSampler(seed=seed)


def trial_states() -> Any:
    """Return Optuna's states of a trial."""
    from optuna.trial import TrialState

    return TrialState
