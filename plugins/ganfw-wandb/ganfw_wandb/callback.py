"""The Weights & Biases callback."""

import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import wandb

from ganfw import Callback, RunError, RunFiles, StepRecord, Training, open_checkpoint, write_atomically

RUN_ID = "wandb_run_id"
"""The file in the run directory that names the W&B run, which a resume continues."""
PATIENCE = {"WANDB_INIT_TIMEOUT": "30", "WANDB_FINISH_TIMEOUT": "120"}
"""Seconds that W&B may take to begin a run, and to upload what is left at its end, unless the environment says it."""


class WandB(Callback):
    """Records a run in Weights & Biases: settings, metrics, evaluations, warnings, and grids of samples.

    What is recorded is read from the run directory each time a window ends. A resume continues the same W&B run, and
    leaves out the steps that the server has: none is there twice. What is trained is the same as without.

    A server that does not answer when training starts is an error. Later W&B itself keeps what it cannot upload; if it
    fails altogether, that costs a warning: training continues, and a resume records what is missing.
    """

    needs_directory = True

    def __init__(
        self,
        *,
        project: Annotated[str | None, "W&B project; by default WANDB_PROJECT, or the recipe's name"] = None,
        entity: Annotated[str | None, "user or team; by default WANDB_ENTITY, or your own"] = None,
        mode: Annotated[
            Literal["online", "offline"] | None, "offline: for wandb sync; by default WANDB_MODE, or online"
        ] = None,
        checkpoint: Annotated[bool, "upload the newest checkpoint at the end"] = False,
    ) -> None:
        self.project = project
        self.entity = entity
        self.mode: Any = mode
        self.checkpoint = checkpoint
        self._run: Any = None
        self._files: RunFiles | None = None

    def on_start(self, training: Training) -> None:
        """Begin a W&B run, or continue that of this run directory.

        Raises:
            RunError: W&B does not answer, or refuses.
        """
        for name, value in PATIENCE.items():
            os.environ.setdefault(name, value)
        directory = training.require_directory("wandb")
        path, resolved = directory / RUN_ID, training.experiment.resolved
        if not path.exists():
            write_atomically(path, f"{secrets.token_hex(8)}\n".encode())
        try:
            self._run = wandb.init(
                project=self.project or os.environ.get("WANDB_PROJECT") or (resolved.recipe.name if resolved else None),
                entity=self.entity,
                mode=self.mode,
                id=path.read_text().strip(),
                resume="allow",
                name=directory.name,
                dir=directory,
                settings=wandb.Settings(symlink=False, console="off"),  # a run with links in it is not resumed
            )
            settings = dict(resolved.recipe.tables) if resolved else {}
            self._run.config.update({**settings, "environment": _environment(directory)}, allow_val_change=True)
        except Exception as error:  # of W&B, or of what it calls
            raise RunError(
                f"callback 'wandb' cannot record: {_excerpt(error)}. Try `wandb login`, or mode = \"offline\"; "
                "enabled = false in the callback's table trains without it"
            ) from error
        self._files = RunFiles(directory, training.experiment.settings.log_every_steps)

    def on_step_end(self, training: Training) -> None:
        """Record what is new, when a window has ended."""
        if training.step % training.experiment.settings.log_every_steps == 0:
            self._trying(training, self._record)

    def on_end(self, training: Training) -> None:
        """Record the rest, and end the W&B run."""
        self._trying(training, self._record)
        self._trying(training, self._upload_checkpoint)
        self._trying(training, self._finish)

    def _trying(self, training: Training, action: Callable[[Training], None]) -> None:
        """Do something that needs W&B; where it fails, warn, and leave W&B alone from then on."""
        if self._run is None:
            return
        try:
            action(training)
        except Exception as error:  # a lost tracker costs no run
            self._run = None
            training.say(
                f"warning at step {training.step}: callback 'wandb' cannot record: {_excerpt(error)}; training "
                "continues, and a resume records what is missing"
            )

    def _record(self, _training: Training) -> None:
        assert self._files is not None
        for each in self._files.new():
            if each.step >= self._run.step:  # of a resumed run the server has what is before
                self._run.log(_entries(each), step=each.step, commit=True)
            for name in each.warnings:
                self._run.summary[f"warning/{name}"] = each.step

    def _upload_checkpoint(self, training: Training) -> None:
        if self.checkpoint:
            artifact = wandb.Artifact(f"model-{self._run.id}", type="model", metadata={"step": training.step})
            artifact.add_dir(str(open_checkpoint(training.require_directory("wandb")).path))
            self._run.log_artifact(artifact)

    def _finish(self, training: Training) -> None:
        self._run.finish(exit_code=0 if training.finished else 255)  # as W&B has it after Ctrl-C


def _entries(record: StepRecord) -> dict[str, Any]:
    if record.picture is None:
        return record.values
    name = "samples" if record.picture.stem.startswith("step") else record.picture.stem
    return {**record.values, name: wandb.Image(str(record.picture))}


def _environment(directory: Path) -> dict[str, Any]:
    """Return what a run directory says of where it is trained; parts that were composed by hand have none."""
    path = directory / "environment.json"
    found = json.loads(path.read_bytes()) if path.exists() else {}
    return {name: value for name, value in found.items() if name not in ("parts", "resumed")}


def _excerpt(error: Exception) -> str:
    """Return what an error says, in one line of a readable length."""
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first}"[:300].rstrip(".: ")
