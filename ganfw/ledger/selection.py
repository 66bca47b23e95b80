"""Choose runs and their values by words of a user: `loss=hinge`, `frechet_distance<50`, `lr`."""

import operator
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ganfw.errors import InputError, did_you_mean
from ganfw.ledger.records import COLUMNS, RunRecord, Runs
from ganfw.ledger.values import short_names

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
_CONDITION = re.compile(r"\s*([^<>=!\s]+)\s*(<=|>=|!=|=|<|>)\s*(.*?)\s*")


def find_key(runs: Sequence[RunRecord], word: str, *, only: str = "") -> str:
    """Return the setting, metric or attribute that a word means: its whole name, or an ending that no other one has.

    Args:
        runs: where it must be.
        word: `"optimizer.generator.lr"`, `"generator.lr"`, or `"loss"` for `"loss.use"`.
        only: `"metrics"` to look at metrics and losses only, `"settings"` at settings only.

    Raises:
        InputError: no run has it, or the ending is that of several.
    """
    keys: dict[str, None] = {} if only else dict.fromkeys(COLUMNS)
    for run in runs:
        if only != "metrics":
            keys |= dict.fromkeys(run.settings)
        if only != "settings":
            keys |= dict.fromkeys([*run.metrics, *run.losses])
    if word in keys:
        return word
    found = [key for key in keys if key.removesuffix(".use").endswith((f".{word}", f"/{word}")) or key == f"{word}.use"]
    found = [key for key in found if key == f"{word}.use"] or found
    if found and all(run.value(key) == run.value(found[0]) for run in runs for key in found):
        return found[0]  # such as the same rate of both optimizers
    kind = {"metrics": "metric", "settings": "setting"}.get(only, "key")
    if found:
        raise InputError(f"'{word}' is the end of several keys; name one: {', '.join(found)}")
    hint = did_you_mean(word, [*keys, *short_names(keys).values()])
    rest = f"they have {', '.join(keys) or 'none'}" if only == "metrics" else "see: ganfw runs"
    raise InputError(f"no run has the {kind} '{word}'; {hint or rest}")


def select(runs: Runs, conditions: Sequence[str]) -> Runs:
    """Return the runs for which every condition holds.

    Args:
        runs: to choose from.
        conditions: a key, one of `= != < <= > >=`, and a value: `"loss.use=hinge"`, `"step>=1000"`.

    Raises:
        InputError: a condition has another form, or no run has its key.
    """
    for condition in conditions:
        match = _CONDITION.fullmatch(condition)
        if not match:
            raise InputError(f"--where {condition}: write a key, one of = != < <= > >=, and a value: loss.use=hinge")
        word, sign, right = match.groups()
        key, value, compare = find_key(runs, word), _value(right), _COMPARISONS[sign]
        runs = Runs(run for run in runs if _holds(run.value(key), compare, value, right))
    return runs


def sort_by(runs: Runs, word: str) -> Runs:
    """Return the runs by rising values of a key, by falling ones if it begins with `-`; those without it come last.

    Raises:
        InputError: no run has the key.
    """
    falling, key = word.startswith("-"), find_key(runs, word.removeprefix("-"))
    having = [run for run in runs if run.value(key) is not None]
    numbers = all(isinstance(run.value(key), int | float) for run in having)
    having.sort(key=lambda run: run.value(key) if numbers else str(run.value(key)), reverse=falling)
    return Runs([*having, *(run for run in runs if run.value(key) is None)])


def _value(text: str) -> Any:
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return tuple(value) if isinstance(value, list) else value


def _holds(found: Any, compare: Callable[[Any, Any], bool], value: Any, text: str) -> bool:
    if isinstance(found, str):
        value = text.strip("\"'")
        found = found if ":" in value else found.rpartition(":")[2]
    if found is None or isinstance(found, bool) != isinstance(value, bool):
        return compare is operator.ne
    try:
        return compare(found, value)
    except TypeError:
        return False
