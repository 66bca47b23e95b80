"""Settings that Optuna chooses by what earlier ones came to: the mean of a metric over the seeds."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ganfw.errors import InputError, RecipeError, did_you_mean
from ganfw.ledger.records import RunRecord, Runs, load_runs
from ganfw.ledger.selection import find_key
from ganfw.ledger.values import short_names
from ganfw.plugins.registry import Registry
from ganfw.plugins.signature import show
from ganfw.recipe.origins import KeyPath, value_at
from ganfw.recipe.resolved import ResolvedRecipe
from ganfw.sweep.definition import Range, Sweep, pattern_of
from ganfw.sweep.folder import Found, find_trials
from ganfw.sweep.study import distributions, open_storage, open_study, sampler, trial_states
from ganfw.sweep.trials import BEST, EVALUATION, Plan, Trial, check_trials, matching, variant_of, word_of
from ganfw.sweep.worker import ENDED_EARLY, FAILED, FINISHED, PRUNED

if TYPE_CHECKING:
    import optuna

_DONE = (FINISHED, FAILED, ENDED_EARLY, PRUNED)


def check_search(sweep: Sweep, registry: Registry) -> None:
    """Check the recipe of every variant at both ends of every range and with every value of every list.

    Raises:
        RecipeError: one cannot be run; the message lists every problem.
    """
    assert sweep.search is not None
    plans = []
    for variant in sweep.variants:
        ends = {path: _ends(choice) for path, choice in space_of(sweep, variant).items()}
        first = {path: values[0] for path, values in ends.items()}
        for path, values in ends.items():
            for value in values:
                words = [*filter(None, [variant]), f"{pattern_of(path)} = {value!r}"]
                plans.append(Plan(", ".join(words), sweep.seeds[0], {**first, path: value}, variant))
        if sweep.search.best:
            plans.append(Plan(f"{variant} best".strip(), sweep.seeds[0], first, variant, best=True))
    trials = check_trials(sweep, registry, plans)
    _check_metric(sweep, trials[0].resolved)


def _check_metric(sweep: Sweep, resolved: ResolvedRecipe) -> None:
    """Make sure that trials give the metric; a loss is known only to a run.

    Raises:
        RecipeError: they do not.
    """
    from ganfw.evaluation.assembly import result_names

    assert sweep.search is not None
    metric = sweep.search.metric
    if "/" in metric:
        return
    origin = sweep.origin("search", "metric")
    if not any(part.part.name == EVALUATION for part in resolved.parts.values()):
        what = f"search.metric is {show(metric)}, but trials are not evaluated"
        raise RecipeError(
            origin.complaint(what) + "\n  say evaluate = 2000 at the top, or choose a loss: loss/generator"
        )
    if metric not in (names := result_names(resolved)):
        hint = did_you_mean(metric, names) or f"they give {', '.join(names)}"
        raise RecipeError(origin.complaint(f"no metric of the recipe gives {show(metric)}") + f"\n  {hint}")


def _ends(choice: "Range | Sequence[Any]") -> list[Any]:
    return [choice.low, choice.high] if isinstance(choice, Range) else list(choice)


def space_of(sweep: Sweep, variant: str) -> dict[KeyPath, "Range | Sequence[Any]"]:
    """Return what is chosen for a variant: not the keys of named tables that others have and it has not."""
    assert sweep.search is not None
    variants = {name: variant_of(sweep, name).tables for name in sweep.variants}

    def has(name: str, path: KeyPath) -> bool:
        return len(path) < 3 or any(value_at(variants[name], table) for table in matching(path[:2], variants[name]))

    return {
        path: choice
        for path, choice in sweep.search.keys.items()
        if has(variant, path) or not any(has(name, path) for name in variants)
    }


class SearchTrials:
    """The trials of a search: settings by Optuna, each with every seed. It continues from what is in the folder.

    What is chosen next depends on the seed of the search, on how many settings were chosen, and on the results that are
    known by then. With one job a search that was interrupted chooses what an undisturbed one would. Each variant has a
    search of its own; the one that has tried the fewest settings continues.

    Attributes:
        total: trials to run.
        done: trials that are done.
    """

    def __init__(self, sweep: Sweep, folder: Path, registry: Registry) -> None:
        """Open the search of a folder, which must be held.

        Raises:
            RunError: the folder has the search of another sweep, or cannot be read or written.
        """
        assert sweep.search is not None
        self._queue: list[Trial] = []
        storage = open_storage(folder)
        self._searches = [VariantSearch(sweep, name, folder, registry, storage, self._queue) for name in sweep.variants]
        again = sweep.search.best.seeds if sweep.search.best else ()
        self.total = (sweep.search.trials * len(sweep.seeds) + len(again)) * len(self._searches)
        self.done = sum(run.state in _DONE and not self.has_lost(run.name) for run in load_runs(folder))

    @property
    def best(self) -> list[str]:
        """The names of the trials that train the best settings again."""
        return [name for search in self._searches for name in search.best]

    def has_lost(self, name: str) -> bool:
        """Whether a trial trained a setting again that was the best and is not any more."""
        return any(search.has_lost(name) for search in self._searches)

    def take(self) -> Trial | None:
        """Return a trial to start now, None if there is none."""
        while not self._queue and (left := [search for search in self._searches if search.left]):
            min(left, key=lambda search: search.begun).choose()
        if not self._queue:
            for search in self._searches:
                search.begin_best()
        return self._queue.pop(0) if self._queue else None

    def ended(self, name: str) -> None:
        """Give Optuna the result of a setting whose trials have all ended.

        Raises:
            InputError: no trial has the metric.
        """
        for search in self._searches:
            search.ended(name)

    def given_up(self, running: Sequence[RunRecord]) -> list[str]:
        """Report the progress of the first seed of each setting to Optuna; return the trials that it would prune."""
        return [name for search in self._searches for name in search.given_up(running)]


class VariantSearch:
    """The settings of one variant that Optuna chooses, and what came of them.

    Attributes:
        begun: how many settings were chosen.
        best: the names of the trials that train the best setting again, once the search has ended.
    """

    def __init__(
        self,
        sweep: Sweep,
        variant: str,
        folder: Path,
        registry: Registry,
        storage: "optuna.storages.BaseStorage",
        queue: list[Trial],
    ) -> None:
        assert sweep.search is not None
        self._sweep, self._search, self._variant = sweep, sweep.search, variant
        self._folder, self._registry, self._queue = folder, registry, queue
        space = space_of(sweep, variant)
        self._keys = {pattern_of(path): path for path in space}
        self._names = short_names(self._keys)
        self._distributions = distributions(space)
        self._study = open_study(storage, folder, sweep, variant)
        self._open: dict[int, list[str]] = {}
        self._reported: dict[str, int] = {}
        self.best: list[str] = []
        self.begun = 0
        for chosen in self._study.get_trials(deepcopy=False):
            if chosen.params.keys() != self._distributions.keys():  # a kill came while it was chosen
                if not chosen.state.is_finished():
                    self._study.tell(chosen.number, state=trial_states().FAIL)
                continue
            self.begun += 1
            if not chosen.state.is_finished():
                self._begin(chosen.number, chosen.params)
        self.begin_best()

    @property
    def left(self) -> bool:
        """Whether there are settings to choose."""
        return self.begun < self._search.trials

    def choose(self) -> None:
        """Choose a setting, and put its trials in the queue."""
        self._study.sampler = sampler(self._search.sampler, self._search.seed + self.begun)
        chosen = self._study.ask(fixed_distributions=self._distributions)
        self.begun += 1
        self._begin(chosen.number, chosen.params)

    def ended(self, name: str) -> None:
        """Give Optuna the result of a setting whose trials have all ended, if this is one of them."""
        number = next((number for number, names in self._open.items() if name in names), None)
        if number is not None:  # another seed of the setting may have failed before
            self._tell(number, {run.name: run for run in load_runs(self._folder)})

    def begin_best(self) -> None:
        """Put the trials that train the best setting again in the queue, once the search has ended."""
        if self._search.best is None or self.left or self._open or self.best:
            return
        with contextlib.suppress(ValueError):  # every setting failed
            chosen = self._study.best_trial
            found = self._find(chosen.number, chosen.params, self._search.best.seeds, BEST)
            self.best = [trial.name for trial in found.trials]
            self._queue += found.waiting()

    def given_up(self, running: Sequence[RunRecord]) -> list[str]:
        """Report the progress of the first seed of each setting to Optuna; return the trials that it would prune."""
        worse = []
        for number, names in self._open.items() if self._search.prune else ():
            for run in running:
                if run.name == names[0] and (found := self._along_the_way(run)):
                    trial = self._optuna_trial(number)
                    trial.report(*found)
                    worse += names if trial.should_prune() else []
        self._drop(worse)
        return [run.name for run in running if run.name in worse]

    def has_lost(self, name: str) -> bool:
        """Whether a trial trained a setting again that was the best and is not any more."""
        return name.startswith(",".join([*filter(None, [self._variant]), BEST, ""])) and name not in self.best

    def _along_the_way(self, run: RunRecord) -> tuple[float, int] | None:
        """Return the newest value of a run and its step, if there is one that is not reported yet."""
        try:
            key = find_key(Runs([run]), self._search.metric, only="metrics")
        except InputError:  # it is not evaluated yet
            return None
        step = (run.metrics_step if key in run.metrics else run.step) or 0
        if self._reported.get(run.name) == step:
            return None
        self._reported[run.name] = step
        return self._value(run), step

    def _optuna_trial(self, number: int) -> "optuna.Trial":
        from optuna.trial import Trial as OptunaTrial

        return OptunaTrial(self._study, self._study.get_trials(deepcopy=False)[number]._trial_id)

    def _begin(self, number: int, params: Mapping[str, Any]) -> None:
        """Put the trials of a setting in the queue that are not done."""
        found = self._find(number, params, self._sweep.seeds)
        self._open[number] = [trial.name for trial in found.trials]
        self._queue += found.waiting()
        self._tell(number, found.runs)

    def _find(self, number: int, params: Mapping[str, Any], seeds: Sequence[int], best: str = "") -> Found:
        """Find the trials of a setting in the folder."""
        words = [
            *filter(None, [self._variant, best]),
            f"{number:0{len(str(self._search.trials))}d}",
            *(f"{self._names[key]}={word_of(_rounded(params[key]))}" for key in self._keys),
        ]
        values = {path: params[key] for key, path in self._keys.items()}
        plans = [Plan(",".join([*words, f"seed={seed}"]), seed, values, self._variant, bool(best)) for seed in seeds]
        return find_trials(self._folder, check_trials(self._sweep, self._registry, plans))

    def _tell(self, number: int, runs: Mapping[str, RunRecord]) -> None:
        names = self._open[number]
        states = [runs[name].state if name in runs else "" for name in names]
        if FAILED in states:
            self._drop(names)
            self._study.tell(number, state=trial_states().FAIL)
        elif PRUNED in states:
            self._study.tell(number, state=trial_states().PRUNED)
        elif all(state in _DONE for state in states):
            self._study.tell(number, fmean(self._value(runs[name]) for name in names))
        else:
            return
        del self._open[number]

    def _drop(self, names: Sequence[str]) -> None:
        """Take trials out of the queue."""
        self._queue[:] = [trial for trial in self._queue if trial.name not in names]

    def _value(self, run: RunRecord) -> float:
        """Return what is minimised of a run."""
        key = find_key(Runs([run]), self._search.metric, only="metrics")
        sign = -1.0 if run.better.get(key) == "higher" else 1.0
        return sign * float(run.value(key))


def _rounded(value: Any) -> Any:
    """Return a float with four digits, for a name; the setting's number makes the name unique."""
    return float(f"{value:.4g}") if isinstance(value, float) else value
