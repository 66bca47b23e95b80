"""Save all state of a training, so that a checkpoint is on disk whole or not at all."""

import json
import os
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from ganfw.data import data_licence
from ganfw.errors import RunError, TrainingError
from ganfw.files import flush_folder, sha256, write_flushed
from ganfw.run import fingerprint
from ganfw.run.checkpoints import checkpoint_name, point_to, prune, remove
from ganfw.run.directory import describe_parts
from ganfw.run.manifest import FILE_NAME, FileEntry, Manifest
from ganfw.run.state import flatten_state, must_be_finite
from ganfw.training.loop import Training


def save_checkpoint(training: Training, *, keep: int = 2, name: str | None = None) -> Path:
    """Save all of a training's state as `checkpoints/step-<step>` in its run directory.

    It is written under another name, flushed to disk and renamed; then `checkpoints/latest` names it; only then are
    checkpoints beyond the newest `keep` removed. Saving changes nothing in the training.

    Args:
        training: what to save.
        keep: how many checkpoints are kept.
        name: save it as the folder of this name in the run directory instead, in place of what is there: a checkpoint
            to sample from, such as the best so far, that no removal of old ones touches and no resume begins at.

    Returns:
        The checkpoint's directory.

    Raises:
        TrainingError: a network or an optimizer holds a value that is not finite; nothing is written.
        RunError: the state holds what a checkpoint cannot, or the system refuses to write; earlier checkpoints
            stay.
    """
    run = training.require_directory("checkpoint")
    if name is not None:
        return _write(training, run / name)
    folder = run / "checkpoints"
    final = _write(training, folder / checkpoint_name(training.step))
    point_to(final)
    try:
        prune(final, keep)
    except OSError as error:
        raise RunError(f"{folder}: an old checkpoint cannot be removed: {error.strerror}") from error
    return final


def _write(training: Training, final: Path) -> Path:
    """Write a checkpoint whole, or not at all, in place of what is there."""
    temporary = final.with_name(f".{final.name}.tmp")
    files = _serialise(training)
    try:
        final.parent.mkdir(exist_ok=True)
        if temporary.exists():
            shutil.rmtree(temporary)
        temporary.mkdir()
        for name, content in files.items():
            write_flushed(temporary / name, content)
        flush_folder(temporary)
        if final.exists():  # damaged, or saved in the last moment before a crash, and not yet named the latest
            remove(final)
        temporary.rename(final)
        flush_folder(final.parent)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise RunError(f"{final}: the checkpoint cannot be written: {error.strerror}") from error
    return final


def check_space(training: Training) -> None:
    """Reserve for a moment what the next checkpoint will take, to fail early if it cannot be written.

    Raises:
        RunError: the system refuses.
    """
    run = training.require_directory("checkpoint")
    path = run / ".space.tmp"
    networks = training.experiment.networks.values()
    # Weights and two moments each; a checkpoint is written beside the one it replaces.
    tensors = [value for network in networks for value in network.state_dict().values() if isinstance(value, Tensor)]
    size = 3 * sum(value.nbytes for value in tensors)
    try:
        try:
            with path.open("wb") as file:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, size)
                else:
                    file.write(bytes(size))
        finally:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(
            f"{run}: not enough space for a checkpoint of {size / 1e6:.0f} MB; free some: {error.strerror}"
        ) from error


def _serialise(training: Training) -> dict[str, bytes]:
    """Return the files of a checkpoint, the manifest last."""
    experiment = training.experiment
    samples = fingerprint.samples_of(experiment.source, experiment.settings.seed, experiment.device)
    state = training.state_dict()
    trees: dict[str, Any] = {}
    files: dict[str, bytes] = {}
    for name, part in {**state.pop("parts"), "training": state}.items():
        trees[name], tensors = flatten_state(part)
        if must_be_finite(name):
            _require_finite(name, tensors, training.step)
        if tensors:
            files[f"{name}.safetensors"] = save(tensors)
    if samples is not None:
        files[fingerprint.FILE_NAME] = save({"samples": samples.contiguous()})
    files["state.json"] = json.dumps(trees).encode()
    if experiment.resolved:
        files["recipe.toml"] = experiment.resolved.qualified().to_toml().encode()
    manifest = Manifest(
        ganfw=version("ganfw"),
        step=training.step,
        name=experiment.resolved.recipe.name if experiment.resolved else "experiment",
        seed=experiment.settings.seed,
        sample_shape=experiment.batches.sample_shape,
        num_classes=experiment.batches.num_classes,
        z_dim=None if experiment.noise is None else experiment.noise.z_dim,
        entry_shapes=dict(experiment.batches.entry_shapes),
        data_sha256=experiment.data_sha256,
        data_licence=data_licence(experiment.data),
        device=experiment.device.type,
        parts=describe_parts(experiment),
        files={name: FileEntry(bytes=len(content), sha256=sha256(content)) for name, content in files.items()},
    )
    return {**files, FILE_NAME: manifest.to_json()}


def _require_finite(name: str, tensors: dict[str, Tensor], step: int) -> None:
    for key, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise TrainingError(f"'{key}' of {name} is not finite at step {step}; no checkpoint is saved")
