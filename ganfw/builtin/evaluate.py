"""Evaluation during training, and the best checkpoint."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge

from ganfw import (
    Callback,
    Evaluation,
    Evaluator,
    InputError,
    MetricValue,
    Reference,
    RunError,
    Training,
    evaluate,
    open_checkpoint,
    open_evaluator,
    record_evaluation,
    save_checkpoint,
)

BEST = "best"
"""The folder of the run directory that holds the best checkpoint."""


class Evaluate(Callback):
    """Evaluates the generator every few epochs, and at the end; keeps the best checkpoint by one result.

    With `patience` it stops training early, when that result has not become better for this many evaluations.

    What it finds is written as `ganfw evaluate` writes it. The best checkpoint is the folder `best` of the run
    directory: a checkpoint like any other, but no removal of old ones touches it, and no resume begins there.

    Raises:
        InputError: patience without a result to be patient about, or a reference beside training samples.
    """

    needs_directory = True

    def __init__(
        self,
        *,
        every_epochs: Annotated[int, Ge(1), "epochs between two evaluations"] = 5,
        every_steps: Annotated[Annotated[int, Ge(1)] | None, "steps between two, instead of epochs"] = None,
        count: Annotated[int, Ge(1), "samples to evaluate"] = 2000,
        best: Annotated[str, 'the result to keep the best checkpoint by; "" to keep none'] = "frechet_distance",
        patience: Annotated[
            Annotated[int, Ge(1)] | None, "stop after this many evaluations without a better value"
        ] = None,
        held_out: Annotated[bool, "compare with held-out samples; false: with training samples, to tune by"] = True,
        reference: Annotated[str | None, "file of ganfw reference to compare with instead"] = None,
    ) -> None:
        if patience is not None and not best:
            raise InputError("callback 'evaluate': patience needs a result in the key 'best'")
        if reference is not None and not held_out:
            raise InputError("callback 'evaluate': 'reference' and held_out = false exclude each other; leave one out")
        self.every_epochs = every_epochs
        self.every_steps = every_steps
        self.count = count
        self.best = best
        self.patience = patience
        self.held_out = held_out
        self.reference = reference
        self.since_best = 0
        self.best_value: float | None = None
        self.best_step = -1
        self._evaluator: Evaluator | None = None
        self._differences: tuple[str, ...] = () if held_out else ("training-data",)
        self._improved = False

    def on_start(self, training: Training) -> None:
        """Embed the real samples, or read the features that were kept, so that a mistake is found before training.

        Raises:
            RunError: the training has no recipe, which says how to evaluate.
        """
        resolved = training.experiment.resolved
        if resolved is None:
            raise RunError("callback 'evaluate' needs a recipe; without one, call ganfw.evaluate")
        training.require_directory("evaluate")
        experiment = training.experiment
        reference = None if self.reference is None else Reference.read(Path(self.reference))
        if reference is not None:
            self._differences = (reference.word,)
        self._evaluator = open_evaluator(
            resolved,
            device=str(experiment.device),
            training=experiment.data,
            held_out=self.held_out,
            reference=reference,
            say=training.say,
        )
        known = self._evaluator.real_data(self.count, experiment.settings.seed)
        if reference is not None:  # two samples say which results there are
            known = _values(evaluate(experiment.source, self._evaluator, count=2))
        if known:
            self._require_comparable(known)
        if self.best_step == training.step and not self._is_kept(training):
            save_checkpoint(training, name=BEST)  # a crash came between this checkpoint and the keeping of it

    def on_step(self, training: Training) -> None:
        """Evaluate if it is time, and see whether it is better than before."""
        every = self.every_steps or self.every_epochs * training.experiment.batches.per_epoch
        if self._evaluator is None or not (training.step % every == 0 or training.finished):
            return
        experiment = training.experiment
        found = evaluate(experiment.source, self._evaluator, count=self.count, seed=experiment.settings.seed)
        path = record_evaluation(training, self._evaluator, found, *self._differences)
        comparison = f"  {self._compare(found, training.step)}" if self.best else ""
        training.say(f"  evaluation {path}{comparison}")
        if self.patience is not None and self.since_best >= self.patience:
            training.stop(f"callback 'evaluate', without a better {self.best} in {self.since_best} evaluations,")

    def _compare(self, found: Evaluation, step: int) -> str:
        """Note whether this is the best so far, and say so."""
        results = _values(found)
        self._require_comparable(results)
        self.since_best += 1
        value, lower = results[self.best].value, results[self.best].better == "lower"
        if not isinstance(value, float | int):
            return f"{self.best} none: {results[self.best].reason}"
        previous = self.best_value
        self._improved = previous is None or (value < previous if lower else value > previous)
        if self._improved:
            self.best_value, self.best_step, self.since_best = value, step, 0
        return f"{self.best} {value:.4g}{', the best so far' if self._improved else ''}"

    def _is_kept(self, training: Training) -> bool:
        """Whether the best checkpoint is where it should be."""
        try:
            return open_checkpoint(training.require_directory("evaluate") / BEST).manifest.step == self.best_step
        except RunError:
            return False

    def _require_comparable(self, results: Mapping[str, MetricValue]) -> None:
        """Make sure that there is a result to keep the best checkpoint by, with a better and a worse."""
        names = [name for name, value in results.items() if value.better]
        if self.best and self.best not in names:
            raise InputError(
                f"callback 'evaluate': best = \"{self.best}\" is not a result that can be compared; "
                f"choose one of {', '.join(names)}"
            )

    def on_step_end(self, training: Training) -> None:
        """Save the best checkpoint, with what every callback knows after this step."""
        if self._improved:
            save_checkpoint(training, name=BEST)
            self._improved = False

    def state_dict(self) -> dict[str, Any]:
        """Return the best value so far, its step, and how many evaluations there were since."""
        return {"best": self.best, "value": self.best_value, "step": self.best_step, "since": self.since_best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned; of another result than the one to keep by, nothing.

        Raises:
            RunError: the state is of another form.
        """
        match state:
            case {
                "best": str() as best,
                "value": int() | float() | None as value,
                "step": int() as step,
                "since": int() as since,
            }:
                if best == self.best:
                    self.best_value, self.best_step, self.since_best = value, step, since
            case _:
                raise RunError("the state of callback 'evaluate' does not hold a best value and its step")


def _values(found: Evaluation) -> dict[str, MetricValue]:
    return {name: result.samples for name, result in found.results.items()}
