"""The MLflow callback."""

import atexit
import contextlib
import os
import re
import time
from pathlib import Path
from typing import Annotated, Any

from filelock import FileLock
from mlflow import MlflowClient, get_tracking_uri
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from ganfw import Callback, RunError, RunFiles, StepRecord, Training, open_checkpoint, write_atomically
from ganfw_mlflow.names import metric_name, parameters

RUN_ID = "mlflow_run_id"
"""The file in the run directory that names the MLflow run, which a resume continues."""
PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
"""How long a server may take, unless the environment says it: MLflow itself waits for minutes."""
RETRY_SECONDS = 300.0
"""How long a server that did not answer is left alone."""
METRICS_IN_A_BATCH = 1000
"""MLflow's limit."""
PARAMETERS_IN_A_BATCH = 100
"""MLflow's limit."""


class Mlflow(Callback):
    """Records a run in MLflow: settings, metrics, evaluations, warnings, grids of samples, and the environment.

    What is recorded is read from the run directory each time a window ends. A resume continues the same MLflow run,
    and leaves out what is there already: no step is there twice. What is trained is the same as without.

    A server that does not answer when training starts is an error. Later it costs a warning: training continues, and
    what could not be sent is sent when the server answers again, at the end of the run, or by a resume.
    """

    needs_directory = True

    def __init__(
        self,
        *,
        tracking_uri: Annotated[
            str | None, "server or store; by default MLFLOW_TRACKING_URI, or mlflow.db in the working directory"
        ] = None,
        experiment: Annotated[str | None, "MLflow experiment; by default the recipe's name"] = None,
        checkpoint: Annotated[bool, "upload the newest checkpoint at the end"] = False,
    ) -> None:
        self.tracking_uri = tracking_uri
        self.experiment = experiment
        self.checkpoint = checkpoint
        self._client: Any = None
        self._run_id = ""
        self._files: RunFiles | None = None
        self._waiting: list[StepRecord] = []
        self._recorded: set[tuple[str, int]] = set()
        self._pictures: set[str] = set()
        self._retry_at = 0.0
        self._has_warned = False

    def on_start(self, training: Training) -> None:
        """Begin an MLflow run, or continue that of this run directory.

        Raises:
            RunError: MLflow does not answer, or refuses.
        """
        for name, value in PATIENCE.items():
            os.environ.setdefault(name, value)
        directory = training.require_directory("mlflow")
        address = self.tracking_uri or get_tracking_uri()
        try:
            self._client = _client_of(address)
            self._open_run(training, directory)
            self._describe_run(training, directory)
        except Exception as error:  # of MLflow, requests, SQLAlchemy or a store of another package
            raise RunError(
                f"callback 'mlflow' cannot record at {_without_password(address)}: {_problem(error)}. "
                "Start the server, or correct tracking_uri; enabled = false in the callback's table trains without it"
            ) from error
        self._files = RunFiles(directory, training.experiment.settings.log_every_steps)
        atexit.register(self._fail)

    def on_step_end(self, training: Training) -> None:
        """Send what is new, when a window has ended."""
        if training.step % training.experiment.settings.log_every_steps == 0 and time.monotonic() >= self._retry_at:
            self._trying(training, self._send)

    def on_end(self, training: Training) -> None:
        """Send the rest, and say how the run ended."""
        atexit.unregister(self._fail)
        self._trying(training, self._send, self._close, self._upload_checkpoint)
        if self._waiting:
            first = self._waiting[0].step
            training.say(f"callback 'mlflow': MLflow lacks what is from step {first} on; a resume sends it")

    def _open_run(self, training: Training, directory: Path) -> None:
        """Find the MLflow run of a run directory, and what it has, or make one."""
        path = directory / RUN_ID
        if path.exists() and (run := self._find_run(path.read_text().strip())):
            self._run_id = run.info.run_id
            names = list(run.data.metrics)
            self._recorded = {(name, step) for name in names for step in self._steps(name)}
            self._pictures = {Path(each.path).name for each in self._client.list_artifacts(self._run_id, "samples")}
            self._client.update_run(self._run_id, status="RUNNING")
            return
        resolved = training.experiment.resolved
        name = self.experiment or (resolved.recipe.name if resolved else "ganfw")
        tags = {"ganfw.directory": str(directory.resolve())}
        run = self._client.create_run(self._experiment_id(name), run_name=directory.name, tags=tags)
        self._run_id = run.info.run_id
        write_atomically(path, f"{self._run_id}\n".encode())

    def _find_run(self, run_id: str) -> Any:
        """Return a run, or None where it was removed, or is in another store."""
        try:
            run = self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
        return run if run.info.lifecycle_stage == "active" else None

    def _steps(self, name: str) -> list[int]:
        return [metric.step for metric in self._client.get_metric_history(self._run_id, name)]

    def _experiment_id(self, name: str) -> str:
        """Return the id of an experiment, which is made if it is missing; another run may make it at the same time."""
        if found := self._client.get_experiment_by_name(name):
            return str(found.experiment_id)
        try:
            return str(self._client.create_experiment(name))
        except MlflowException:
            if found := self._client.get_experiment_by_name(name):
                return str(found.experiment_id)
            raise

    def _describe_run(self, training: Training, directory: Path) -> None:
        """Record the settings, as the run began with them, and the environment, as it is now."""
        client, run_id = self._client, self._run_id
        there = client.get_run(run_id).data.params
        resolved = training.experiment.resolved
        settings = parameters(resolved.recipe.tables) if resolved else {}
        missing = [Param(name, value) for name, value in settings.items() if name not in there]
        for start in range(0, len(missing), PARAMETERS_IN_A_BATCH):
            client.log_batch(run_id, params=missing[start : start + PARAMETERS_IN_A_BATCH])
        for name in ("environment.json", "recipe.toml"):
            if (directory / name).exists():  # parts composed by hand have none
                client.log_artifact(run_id, str(directory / name))

    def _trying(self, training: Training, *actions: Any) -> None:
        """Do something that needs MLflow; where it fails, warn once in the run."""
        try:
            for action in actions:
                action(training)
        except Exception as error:  # a lost tracker costs no run
            self._retry_at = time.monotonic() + RETRY_SECONDS
            if not self._has_warned:
                self._has_warned = True
                training.say(
                    f"warning at step {training.step}: callback 'mlflow' cannot record: {_problem(error)}; training "
                    "continues, and what is missing is sent when MLflow answers again"
                )
        else:
            self._retry_at = 0.0

    def _send(self, _training: Training) -> None:
        """Send what the run directory has and MLflow lacks; what is sent leaves the waiting list."""
        assert self._files is not None
        self._waiting += self._files.new()
        while self._waiting:
            widest = max(len(each.values) for each in self._waiting)
            batch = self._waiting[: max(1, METRICS_IN_A_BATCH // max(1, widest))]
            self._send_batch(batch)
            del self._waiting[: len(batch)]

    def _send_batch(self, batch: list[StepRecord]) -> None:
        values = [(metric_name(name), value, each.step) for each in batch for name, value in each.values.items()]
        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, step) for name, value, step in values if (name, step) not in self._recorded]
        tags = {f"warning.{name}": f"until step {each.step}" for each in batch for name in each.warnings}
        if metrics or tags:
            self._client.log_batch(self._run_id, metrics, tags=[RunTag(*tag) for tag in tags.items()])
        self._recorded |= {(name, step) for name, _, step in values}
        for each in batch:
            if each.picture and each.picture.name not in self._pictures:
                self._client.log_artifact(self._run_id, str(each.picture), "samples")

    def _upload_checkpoint(self, training: Training) -> None:
        if self.checkpoint:
            path = open_checkpoint(training.require_directory("mlflow")).path
            self._client.log_artifacts(self._run_id, str(path), f"checkpoints/{path.name}")

    def _close(self, training: Training) -> None:
        self._client.set_terminated(self._run_id, "FINISHED" if training.finished else "KILLED")

    def _fail(self) -> None:
        """Say that the process ended in an error: training came to no end."""
        with contextlib.suppress(Exception):
            self._client.set_terminated(self._run_id, "FAILED")


def _client_of(address: str) -> MlflowClient:
    """Return a client. Of runs that begin a store on SQLite together, one makes its tables, and the others wait."""
    path, is_sqlite = re.subn(r"^sqlite:///([^?]+).*", r"\1", address)
    with FileLock(f"{path}.lock") if is_sqlite else contextlib.nullcontext():
        return MlflowClient(address)


def _problem(error: Exception) -> str:
    """Return what an error says, in one line of a readable length."""
    text = " ".join(str(error).split())
    if "failed with exception" in text:  # as MLflow writes it where a request got no answer, with all its details
        return "the server does not answer"
    return _without_password(f"{type(error).__name__}: {text}")[:300].rstrip(".")


def _without_password(text: str) -> str:
    """Leave out the user and the password of addresses such as `postgresql://user:password@host/database`."""
    return re.sub(r"://[^/@\s]+@", "://", text)
