"""The training loop. It owns when things happen; the step part owns what is minimised, and callbacks report."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from torch.optim import Optimizer

from ganfw.data import Batch
from ganfw.distributed.batch_norm import synchronised_batch_norm
from ganfw.distributed.process_group import Command
from ganfw.engine.compilation import Compiler, compile_blocker
from ganfw.engine.kernels import fast_kernels
from ganfw.engine.precision import computing_in
from ganfw.engine.random_streams import derive_seed, global_state, seed_global, seeded_generator, set_global_state
from ganfw.engine.regions import each_within, region
from ganfw.engine.updates import Updater
from ganfw.errors import GanfwError, PartFailure, RunError, size_problem
from ganfw.files import locked
from ganfw.plugins.registry import describe
from ganfw.plugins.signature import show
from ganfw.terminal import blank
from ganfw.training.experiment import Experiment
from ganfw.training.items import lost_worker
from ganfw.training.means import RunningMeans, check_statistics
from ganfw.training.optimizer_state import check_optimizer_state
from ganfw.training.trial import to_blame, unchanged

EVENTS = ("on_start", "on_log", "on_step", "on_step_end", "on_end")
"""The methods of a callback that a training run calls."""
WORTH_COMPILING = 20_000
"""With `run.compile = "auto"`, runs of fewer steps are not compiled: they would not win back what compiling takes."""


class Training:
    """One experiment being trained: where it stands, and what callbacks may see.

    Attributes:
        experiment: what is trained.
        directory: the run directory, or None to write nothing.
        step: steps done.
        total_steps: steps to do.
        compiles: whether losses are compiled, decided before the first step.
        means: the statistics of the last window that ended.
        warnings: names of what callbacks found wrong in that window.
        stop_reason: why training was asked to stop, or `""`.
    """

    def __init__(
        self,
        experiment: Experiment,
        directory: str | Path | None = None,
        *,
        steps: int | None = None,
        epochs: int | None = None,
    ) -> None:
        """Prepare training.

        Args:
            experiment: what to train.
            directory: the run directory that callbacks write to; without one, callbacks that need it are left out.
            steps: how long to train, instead of what the settings say.
            epochs: the same in epochs; of both, what ends first.
        """
        self.experiment = experiment
        self.directory = None if directory is None else Path(directory)
        settings = experiment.settings
        if steps is None and epochs is None:
            steps, epochs = settings.max_steps, settings.epochs
        self.total_steps = experiment.batches.steps(steps, epochs)
        self.step = 0
        self.means: dict[str, float] = {}
        self.warnings: list[str] = []
        self.stop_reason = ""
        self.compiles = settings.compile is True or (settings.compile == "auto" and self.total_steps >= WORTH_COMPILING)
        self._means = RunningMeans(experiment.processes)
        self._statistics: set[str] = set()
        self._stopping = False
        self._random = seeded_generator(experiment.device, settings.seed, "training")
        self._global_state: dict[str, Any] | None = None
        self._listeners: dict[str, list[tuple[str, Callable[[Training], None]]]] = {}
        self._seconds_before = 0.0
        self._started: float | None = None

    def __repr__(self) -> str:
        return f"Training(step {self.step} of {self.total_steps} of {self.experiment})"

    @property
    def epoch(self) -> int:
        """The epoch that `step` belongs to, counted from 1."""
        return max(self.step - 1, 0) // self.experiment.batches.per_epoch + 1

    @property
    def images(self) -> int:
        """Real samples seen."""
        batches = self.experiment.batches
        epochs, steps = divmod(self.step, batches.per_epoch)
        return epochs * batches.size + steps * batches.batch_size

    @property
    def seconds(self) -> float:
        """Seconds of training since step 0, pauses left out."""
        running = 0.0 if self._started is None else time.perf_counter() - self._started
        return self._seconds_before + running

    @property
    def finished(self) -> bool:
        """Whether all steps are done."""
        return self.step >= self.total_steps

    @property
    def means_are_partial(self) -> bool:
        """Whether `means` are of fewer steps than usual, for training ended there."""
        return self.step % self.experiment.settings.log_every_steps != 0

    def stop(self, reason: str) -> None:
        """Ask training to stop after the current step."""
        self.stop_reason = self.stop_reason or reason

    def say(self, text: str) -> None:
        """Print a line on standard error, above the progress bar if there is one; the main process does."""
        from tqdm import tqdm

        if self.experiment.processes.is_main and sys.stderr is not None:
            with contextlib.suppress(OSError):  # a stream that is lost costs no run
                tqdm.write(blank(text), file=sys.stderr)

    def require_directory(self, who: str) -> Path:
        """Return the run directory, for a callback that writes.

        Raises:
            RunError: there is none.
        """
        if self.directory is None:
            raise RunError(f"callback '{who}' writes files: give the training a directory")
        return self.directory

    def run(self) -> None:
        """Train until all steps are done or something asks to stop.

        While it runs, the run directory is locked, and the global random state of torch, Python and NumPy is this
        training's own.

        Raises:
            RunError: another process is training this run, a callback cannot write, or a worker that loads data ended.
            TrainingError: a callback found a value that is not finite.
        """
        holding = locked(self.directory) if self.directory else contextlib.nullcontext()
        with holding, self._without_lost_workers(), self.experiment.batches.keeping_workers(), self.engine() as updater:
            self._run(updater)

    @contextlib.contextmanager
    def _without_lost_workers(self) -> Iterator[None]:
        """Say of a worker that ended whose it was: its error may come up in any part, or between two."""
        try:
            yield
        except RuntimeError as error:
            if ended := lost_worker(error):
                raise RunError(
                    f"{self.experiment.label('data')}: a process that loads it {ended}, after step {self.step}; if "
                    "memory was short, lower run.workers: with 0 the process that trains loads it"
                ) from error
            raise

    @contextlib.contextmanager
    def engine(self) -> Iterator[Updater]:
        """Within the block, compute as the settings say, and make updates with what it gives."""
        experiment = self.experiment
        settings, networks = experiment.settings, tuple(experiment.networks.values())
        with contextlib.ExitStack() as stack:
            stack.enter_context(fast_kernels(experiment.device, tf32=settings.tf32))
            if settings.sync_batch_norm:
                stack.enter_context(synchronised_batch_norm(experiment.processes, *networks))
            stack.enter_context(computing_in(settings.precision, experiment.device, *networks))
            compiler = self._compiler()
            if compiler:
                stack.enter_context(compiler.active())
            yield Updater(
                experiment.optimizers,
                experiment.processes,
                settings.accumulate,
                experiment.clip_norms,
                experiment.followers(),
                compiler,
            )

    def _compiler(self) -> Compiler | None:
        experiment = self.experiment
        if not self.compiles:
            return None
        if reason := compile_blocker(experiment.device, experiment.processes):
            self.say(f"run.compile: not compiled: {reason}")
            return None
        batches = experiment.batches
        rows = -(-min(batches.batch_size, batches.size) // experiment.settings.accumulate)
        parts = {address: part for address, part in experiment.parts().items() if not address.startswith("callbacks.")}
        return Compiler(experiment.device, rows, self.say, lambda: unchanged(parts, experiment.device))

    def _run(self, updater: Updater) -> None:
        device = self.experiment.device
        outside = global_state(device)
        if self._global_state is None:
            seed_global(derive_seed(self.experiment.settings.seed, "global"), device)
        else:
            set_global_state(self._global_state, device)
        callbacks = self._usable_callbacks()
        self._listeners = {event: _listeners_to(event, callbacks) for event in EVENTS}
        self._started = time.perf_counter()
        try:
            for doubt in self.experiment.doubts:
                self.say(f"warning: {doubt}")
            self._call("on_start")
            self._agree()
            while not self.finished and not self._stopping:
                self._run_epoch(updater)
            if self.finished and self.means_are_partial:
                self._log()  # and keep the sums: a resume with more epochs continues with them
            self._call("on_end")
            self._agree()
        finally:
            self._seconds_before = self.seconds
            self._started = None
            self._global_state = global_state(device)
            set_global_state(outside, device)

    def _run_epoch(self, updater: Updater) -> None:
        """Run what is left of an epoch."""
        epoch, first_batch = divmod(self.step, self.experiment.batches.per_epoch)
        for batch in each_within("data", self._batches(epoch, first_batch)):
            self._set_rates()
            with region("step"):
                self._make_updates(updater, batch)
            self.step += 1
            if self.step % self.experiment.settings.log_every_steps == 0:
                self._log()
            self._call("on_step")
            self._call("on_step_end")
            self._agree()
            if self.finished or self._stopping:
                return

    def _batches(self, epoch: int, first_batch: int) -> Iterator[Batch]:
        served = self.experiment.batches.epoch(epoch, first_batch, self.total_steps)
        while True:
            with self._naming("data", f"in step {self.step + 1}"):
                batch = next(served, None)
            if batch is None:
                return
            yield batch

    @contextlib.contextmanager
    def _naming(self, address: str, when: str, parts: Mapping[str, Any] | None = None) -> Iterator[None]:
        """Turn what a part raises into a sentence that names it: the innermost of the parts, or that at an address."""
        try:
            yield
        except GanfwError:
            raise
        except (Exception, SystemExit) as error:
            if lost_worker(error):
                raise
            label = self.experiment.label(to_blame(error, parts or {}) or address)
            too_large = size_problem(error)
            if too_large and address.startswith("callbacks."):
                raise RunError(f"{label} runs out of memory {when}: {too_large}; check its sizes") from error
            reason = describe(error).partition(" Original Traceback")[0]  # of a worker: it stands below, in lines
            if too_large:
                reason += "; lower run.batch_size, or raise run.accumulate, which computes a batch in parts"
            raise PartFailure(f"{label} fails {when}: {reason}") from error

    def _make_updates(self, updater: Updater, batch: Batch) -> None:
        """Make the updates of a step, and note its statistics; those of a name seen first are checked."""
        experiment = self.experiment
        with self._naming("step", f"in step {self.step + 1}", experiment.parts()):
            statistics = updater.run(experiment.step, experiment.updates, batch, self._random)
        if not statistics.keys() <= self._statistics:
            check_statistics(experiment.label("step"), statistics, experiment.device)
            self._statistics |= statistics.keys()
        self._means.add(statistics)

    def _set_rates(self) -> None:
        """Give optimizers that have a schedule the learning rate of the step to come."""
        for name, schedule in self.experiment.schedules.items():
            with self._naming(f"schedule.{name}", f"in step {self.step + 1}"):
                factor = schedule(self.step, self.total_steps)
            for group in self.experiment.optimizers[name].param_groups:
                group["lr"] = group["initial_lr"] * factor

    def _log(self) -> None:
        self.means = self._means.means()
        if not self.means_are_partial:
            self._means.clear()
        self.warnings = []
        self._call("on_log")

    def _agree(self) -> None:
        """Let the main process decide how it continues, and the others follow."""
        processes = self.experiment.processes
        if processes.is_main:
            self._stopping = bool(self.stop_reason)  # a signal that comes later is for the next step
            processes.broadcast(Command.STOP if self._stopping else Command.CONTINUE)
            return
        while (command := processes.broadcast()) is Command.GATHER:
            self._means.state_dict()
        self._stopping = command is Command.STOP
        self.stop_reason = "the main process" if self._stopping else ""

    def _usable_callbacks(self) -> dict[str, Any]:
        """Return the callbacks by address; without a directory, only those that need none."""
        callbacks = {f"callbacks.{name}": each for name, each in self.experiment.callbacks.items()}
        left_out = [address for address, each in callbacks.items() if each.needs_directory and self.directory is None]
        if left_out:
            self.say(f"no directory is given: {', '.join(left_out)} write files and are left out")
        return {address: each for address, each in callbacks.items() if address not in left_out}

    def _call(self, event: str) -> None:
        for address, listen in self._listeners[event]:
            with region(address), self._naming(address, f"in {event} after step {self.step}"):
                listen(self)

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resume needs to continue bit for bit; asking changes nothing.

        Of several processes only the main one can be asked, and only while it trains.
        """
        running = self._started is not None
        processes = self.experiment.processes
        processes.broadcast(Command.GATHER)
        return {
            "processes": processes.size,
            "step": self.step,
            "seconds": self.seconds,
            "means": self.means,
            "compiles": self.compiles,
            "running_means": self._means.state_dict(),
            "random": {
                "training": self._random.get_state(),
                "global": global_state(self.experiment.device) if running else self._global_state,
            },
            "parts": {name: part.state_dict() for name, part in self.experiment.stateful_parts().items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned.

        Raises:
            RunError: the state is of an experiment with other parts, of other optimizers, or of another number of
                processes.
        """
        processes = self.experiment.processes
        if state["processes"] != processes.size:
            raise RunError(
                f"the run was trained by {state['processes']} processes and continues exactly only with as many, "
                f"not with {processes.size}: torchrun --nproc-per-node {state['processes']} --no-python ganfw resume "
                "…; to continue all the same: --allow-other-size"
            )
        parts = self.experiment.stateful_parts()
        for name in sorted(state["parts"].keys() ^ parts.keys()):
            if not name.startswith("callbacks."):
                raise RunError(
                    f"the checkpoint is of an experiment with another part {show(name)}; make the same experiment"
                )
        for name in parts.keys() & state["parts"].keys():
            if isinstance(parts[name], Optimizer):
                check_optimizer_state(name, parts[name], state["parts"][name])
            parts[name].load_state_dict(state["parts"][name])
        self.step = state["step"]
        self.means = state["means"]
        self._seconds_before = state["seconds"]
        self.compiles = state["compiles"]
        self._means.load_state_dict(state["running_means"], self.experiment.device)
        self._random.set_state(state["random"]["training"])
        self._global_state = state["random"]["global"]


def _listeners_to(event: str, callbacks: Mapping[str, Any]) -> list[tuple[str, Callable[[Training], None]]]:
    """Return the methods that an event calls, by address: those that do something."""
    methods = {address: getattr(each, event) for address, each in callbacks.items()}
    return [(address, method) for address, method in methods.items() if not getattr(method, "does_nothing", False)]


def train(
    experiment: Experiment,
    *,
    steps: int | None = None,
    epochs: int | None = None,
    directory: str | Path | None = None,
) -> Training:
    """Train an experiment.

    Args:
        experiment: what to train, in place.
        steps: how long, instead of the settings' `epochs` and `max_steps`.
        epochs: the same in epochs; of both, what ends first.
        directory: where callbacks write; without one, those that need it are left out, which a line says.

    Returns:
        The training as it ended: its `step`, `seconds` and last `means`.
    """
    training = Training(experiment, directory, steps=steps, epochs=epochs)
    training.run()
    return training
