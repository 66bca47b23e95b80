"""One trial of a sweep in a process of its own, as a launcher runs it: `python -m ganfw.sweep.worker`."""

import contextlib
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganfw.errors import GanfwError, PartFailure
from ganfw.files import locked
from ganfw.plugins.discovery import discover
from ganfw.plugins.registry import SCRIPT_SUFFIX, Registry, describe
from ganfw.recipe.document import Recipe
from ganfw.recipe.layers import Layers
from ganfw.recipe.origins import Origin
from ganfw.recipe.resolution import resolve
from ganfw.recipe.resolved import ResolvedRecipe
from ganfw.terminal import prints_aside, surviving_streams

if TYPE_CHECKING:
    from ganfw.training.loop import Training

COMMAND = (sys.executable, "-P", "-m", "ganfw.sweep.worker")
FINISHED, INTERRUPTED, ENDED_EARLY, FAILED = "finished", "interrupted", "ended early", "failed"
"""How a trial ends: all steps are done; the sweep stopped it; a callback stopped it; it failed."""
PRUNED = "pruned"
"""How the trials of a setting end that a search has given up."""
BY_SWEEP = "the sweep"
PATIENCE_SECONDS = 60.0
"""How long to wait for a process that a killed sweep has left to save its checkpoint."""


def request_of(directory: Path, resolved: ResolvedRecipe, registry: Registry, command: Sequence[str]) -> str:
    """Write what a worker reads: where to run what, with which plugins."""
    recipe = resolved.recipe
    return json.dumps(
        {
            "directory": str(directory),
            "name": recipe.name,
            "tables": recipe.tables,
            "origins": [[path, origin.label] for path, origin in recipe.origins.items()],
            "scripts": [each.source for each in registry.plugins if each.distribution.endswith(SCRIPT_SUFFIX)],
            "blocked": sorted({each.distribution for each in registry.plugins if each.status == "blocked"}),
            "command": list(command),
        }
    )


def main() -> None:
    """Read a request, run the trial, and print how it ended."""
    line = sys.stdin.buffer.readline()
    if not line:
        return
    lifeline = _Lifeline()
    with surviving_streams(), prints_aside():
        try:
            state, reason = _run(json.loads(line), lifeline)
        except GanfwError as error:
            print(f"Error: {error}", file=sys.stderr)
            state, reason = FAILED, str(error)
        except BaseException as error:
            traceback.print_exception(error.__cause__ if isinstance(error, PartFailure) else error)
            state, reason = FAILED, str(error) if isinstance(error, PartFailure) else describe(error)
    _report(state, reason)


def _report(state: str, reason: str = "") -> None:
    with contextlib.suppress(OSError):  # nobody reads what is left of a killed sweep
        os.write(1, f"{json.dumps({'state': state, 'reason': reason})}\n".encode())


class _Lifeline:
    """Stops the trial when standard input is closed, which it is when the sweep stops and when it is killed."""

    def __init__(self) -> None:
        self._training: Training | None = None
        threading.Thread(target=self._wait, daemon=True).start()
        signal.signal(signal.SIGTERM, lambda *_: self._stop())

    def hold(self, training: "Training") -> None:
        """Stop this training from now on; before, nothing is lost if the process ends."""
        self._training = training

    def _wait(self) -> None:
        while os.read(0, 1):
            pass
        self._stop()

    def _stop(self) -> None:
        if self._training is None:
            _report(INTERRUPTED)
            os._exit(0)
        self._training.stop(BY_SWEEP)


def _run(request: Mapping[str, Any], lifeline: _Lifeline) -> tuple[str, str]:
    registry = discover(scripts=request["scripts"], blocked=request["blocked"])

    from ganfw.run.assembly import assemble
    from ganfw.run.directory import create_named_directory, record_resume
    from ganfw.run.resume import resume_training
    from ganfw.training.loop import Training

    directory, command = Path(request["directory"]), request["command"]
    if not directory.exists():
        origins = {tuple(path): Origin(label) for path, label in request["origins"]}
        recipe = Recipe.of_layers(Layers(request["tables"], origins), request["name"])
        experiment = assemble(resolve(recipe, registry))
        create_named_directory(directory, experiment, command)
        training = Training(experiment, directory)
        lifeline.hold(training)
        training.run()
    else:
        with locked(directory, seconds=PATIENCE_SECONDS):
            training, skipped = resume_training(directory, registry)
            for reason in skipped:
                training.say(f"skipped a damaged checkpoint: {reason}")
            record_resume(directory, training.experiment, training.step, command)
            training.say(f"continuing from step {training.step}")
            lifeline.hold(training)
            training.run()
    if training.finished:
        return FINISHED, ""
    reason = f"stopped by {training.stop_reason} after step {training.step} of {training.total_steps}"
    return (INTERRUPTED if training.stop_reason == BY_SWEEP else ENDED_EARLY), reason


if __name__ == "__main__":
    main()
