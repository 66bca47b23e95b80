"""The trials of a sweep as jobs of Slurm."""

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import submitit
from annotated_types import Ge
from submitit.core.utils import FailedJobError

from ganfw import InputError, RunError, TrialTask, write_atomically
from ganfw_slurm.trial import TrialEnd, TrialRun

FOLDER = "slurm"
"""The folder beside the logs of trials that has a folder for each launcher, with what submitit writes."""
HEARTBEAT = "heartbeat"
"""The file in there that the launcher changes all the time."""
SAVING_SECONDS = 90
"""How long before the end of its time a trial is asked to save a checkpoint."""
BEAT_SECONDS = 2.0
"""How often the launcher shows that it is there."""
SILENCE_SECONDS = 30.0
"""How long trials wait for such a sign: less than a continued sweep waits for a trial that still runs."""
ASK_SECONDS = 1.0
"""How often a job is looked after."""
FORCE_SECONDS = 10.0
"""How often Slurm is asked for a job that was told to end; otherwise submitit says how often."""
SCANCEL_SECONDS = 30.0
"""How long Slurm may take to cancel a job."""
LATE_SECONDS = 15.0
"""How long the result of a job that has ended may take to be seen here."""


class Slurm:
    """Runs each trial as a job of Slurm, through submitit.

    The sweep itself keeps running on the login node, and the nodes must see the same files. A trial whose time is up,
    or whose node is wanted by others, saves a checkpoint, is submitted again, and continues bit for bit. Trials end
    with a checkpoint when the sweep is stopped, and when it is killed.
    """

    def __init__(
        self,
        *,
        jobs: Annotated[int, Ge(1), "trials in the queue or running at once"] = 8,
        partition: Annotated[str | None, "of Slurm; by default the cluster's own"] = None,
        cpus: Annotated[int, Ge(1), "processor cores of a trial, and its threads"] = 1,
        gpus: Annotated[int, Ge(0), "GPUs of a trial"] = 0,
        minutes: Annotated[int, Ge(2), "time limit of a job"] = 60,
        resubmissions: Annotated[int, Ge(0), "how often a trial is submitted again when its job was ended"] = 10,
        options: Annotated[tuple[str, ...], 'further options of sbatch: ["account=vision", "mem=16G"]'] = (),
        executor: Annotated[Literal["slurm", "local"], "local: processes on this machine, to try it out"] = "slurm",
    ) -> None:
        if executor == "slurm" and (missing := [name for name in ("sbatch", "srun") if shutil.which(name) is None]):
            raise InputError(
                f"no {' and no '.join(missing)} on this machine: start the sweep where Slurm is, such as a login node, "
                'or set executor = "local" to try it out here'
            )
        wrong = [option for option in options if not option.partition("=")[0].strip("-")]
        if wrong:
            raise InputError(f'options must be as "account=vision", not "{wrong[0]}"')
        self.jobs = jobs
        self.threads = cpus
        self.resubmissions = resubmissions
        self.executor = executor
        self._folder: Path | None = None
        self._minutes = minutes
        self._gpus = gpus
        self._options = {**({"partition": partition} if partition else {}), **dict(map(_option, options))}

    def start(self, task: TrialTask) -> "SlurmJob":
        """Submit a trial.

        Raises:
            RunError: Slurm refuses it.
        """
        return SlurmJob(self, task, self._folder or self._make_folder(task.log.resolve().parent))

    def submit(self, run: TrialRun, name: str, folder: Path) -> Any:
        """Submit a job, and return it as submitit has it.

        Raises:
            RunError: Slurm refuses it.
        """
        try:
            if self.executor == "local":
                with _deaf_to_interrupts():
                    return self._local_executor(folder).submit(run)
            return self._slurm_executor(folder, name).submit(run)
        except (OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())[-300:]
            raise RunError(f"trial '{name}' cannot be submitted: {reason}") from error

    def _slurm_executor(self, folder: Path, name: str) -> submitit.SlurmExecutor:
        executor = submitit.SlurmExecutor(folder)
        executor.update_parameters(
            job_name=name,
            time=self._minutes,
            cpus_per_task=self.threads,
            gpus_per_node=self._gpus or None,
            signal_delay_s=SAVING_SECONDS,
            additional_parameters=self._options,
        )
        return executor

    def _local_executor(self, folder: Path) -> submitit.LocalExecutor:
        executor = submitit.LocalExecutor(folder)
        executor.update_parameters(timeout_min=self._minutes, gpus_per_node=self._gpus, signal_delay_s=SAVING_SECONDS)
        return executor

    def _make_folder(self, logs: Path) -> Path:
        """Make this launcher's own folder, in which a thread shows from now on that the launcher is there."""
        self._folder = logs / FOLDER / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"{self._folder}: cannot be made: {error.strerror}") from error
        threading.Thread(target=self._beat, args=(self._folder / HEARTBEAT,), daemon=True).start()
        return self._folder

    def _beat(self, path: Path) -> None:
        while path.parent.is_dir():
            with contextlib.suppress(RunError):  # a full disk, for instance: the next beat may pass
                write_atomically(path, f"{time.time_ns()}\n".encode())
            time.sleep(BEAT_SECONDS)


class SlurmJob:
    """A trial in one job after another, each of which continues where the one before was ended."""

    def __init__(self, launcher: Slurm, task: TrialTask, folder: Path) -> None:
        self._launcher = launcher
        self._task = task
        self._folder = folder
        self._orders = folder / f"orders-{time.time_ns()}"
        self._order = ""
        self._resubmitted = 0
        self._ask_at = 0.0
        self._force_at = 0.0
        self._done_at = 0.0
        self._run = TrialRun(
            command=task.command,
            request=task.request,
            log=task.log.resolve(),
            threads=launcher.threads,
            orders=self._orders,
            heartbeat=folder / HEARTBEAT,
            silence_seconds=SILENCE_SECONDS,
        )
        self._job = launcher.submit(self._run, task.name, folder)

    def result(self) -> tuple[int, str] | None:
        """Return None while the trial waits or runs, then the exit status of its process, and what it printed.

        Raises:
            RunError: its job was ended too many times without a word, or Slurm refuses to take it again.
        """
        now = time.monotonic()
        if now < self._ask_at:
            return None
        self._ask_at = now + ASK_SECONDS
        if not self._is_done(now):
            return None
        end = self._end()
        if self._order == "kill":
            return -signal.SIGKILL, ""
        if self._order == "stop":
            return (end.status, end.printed) if end else self._stopped_before_it_began()
        if end and not end.interrupted:
            return end.status, end.printed
        if self._resubmitted == self._launcher.resubmissions:
            reason = f"its job was ended, all {self._resubmitted} resubmissions are used up"
            if end is None:
                raise RunError(reason)
            self._note(reason)
            return end.status, end.printed
        self._resubmitted += 1
        self._note(f"its job was ended; submitted again, {self._resubmitted} of {self._launcher.resubmissions} times")
        self._job = self._launcher.submit(self._run, self._task.name, self._folder)
        self._done_at = 0.0
        return None

    def stop(self) -> None:
        """Tell a trial that runs to stop, and take one that waits out of the queue."""
        self._tell("stop")
        self._scancel("--state=PENDING")

    def kill(self) -> None:
        """Tell the job to end the process at once, and Slurm to end the job."""
        self._tell("kill")
        self._scancel()

    def _tell(self, order: str) -> None:
        self._order = order
        write_atomically(self._orders, order.encode())

    def _scancel(self, *options: str) -> None:
        if self._launcher.executor == "slurm":
            command = ["scancel", *options, self._job.job_id]
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(command, check=False, capture_output=True, timeout=SCANCEL_SECONDS)

    def _is_done(self, now: float) -> bool:
        """Whether the job has ended, and its result has come over the shared file system, if there is one."""
        force = bool(self._order) and now >= self._force_at
        if force:
            self._force_at = now + FORCE_SECONDS
        if not self._job.done(force_check=force):
            return False
        self._done_at = self._done_at or now
        is_late = now >= self._done_at + LATE_SECONDS
        return is_late or bool(self._order) or self._job.paths.result_pickle.exists()

    def _end(self) -> TrialEnd | None:
        """Return how the process ended; None where the job ended before the process began, or without a word."""
        if not self._job.paths.result_pickle.exists():
            return None
        try:
            found: TrialEnd | None = self._job.result()
        except FailedJobError as error:  # what the node could not run is an error of every job
            self._note(str(error))
            return TrialEnd(1, "", interrupted=False)
        return found

    def _stopped_before_it_began(self) -> tuple[int, str]:
        """Run the process with a standard input that is closed, for what it says then."""
        with self._task.log.open("ab") as log:
            request = f"{self._task.request}\n".encode()
            done = subprocess.run(self._task.command, input=request, stdout=subprocess.PIPE, stderr=log, check=False)
        return done.returncode, done.stdout.decode(errors="replace")

    def _note(self, line: str) -> None:
        with contextlib.suppress(OSError), self._task.log.open("a") as log:
            log.write(f"launcher 'slurm': {line}\n")


def _option(text: str) -> tuple[str, str | bool]:
    """Return the name and the value of an option of sbatch: `"account=vision"`, `"exclusive"`."""
    name, has_value, value = text.partition("=")
    return name.strip().lstrip("-"), value.strip() if has_value else True


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Within the block, let processes that are started ignore Ctrl-C: it is for the sweep, which asks its trials."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
