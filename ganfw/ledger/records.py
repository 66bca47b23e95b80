"""What many runs are and how far they came, read only from their directories, fast and without torch."""

import contextlib
import functools
import json
import os
import re
import stat
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from ganfw.display import html_table
from ganfw.errors import RunError
from ganfw.files import is_folder, is_locked, read_bounded
from ganfw.ledger.values import plain, short_names, show_value
from ganfw.recipe.layers import MAX_BYTES
from ganfw.recipe.origins import dotted, innermost, leaves
from ganfw.report.reading import MAX_OBJECT_BYTES, count_of, number_of, parse_object, read_object, text_of
from ganfw.run.checkpoints import LATEST, MAX_LATEST_BYTES

if TYPE_CHECKING:
    import pandas

ENDED = "ended"
"""The folder beside the trials of a sweep that says which failed or were ended early, and why."""
SEED = "run.seed"
DEPTH = 3
"""Run directories are looked for in a folder and in this many levels of folders below it."""

_LAST_BYTES = 16 << 10
_PLACE = ("step", "epoch", "images", "seconds", "warnings")
_EVALUATION = re.compile(r"step-(\d{1,15})(?:-(?!(?:.+-)?truncation\.)(.+))?\.json")


@frozen
class RunRecord:
    """One run.

    Attributes:
        directory: where it is.
        name: of the directory, after those of the folders that were looked through.
        recipe: what the recipe is called.
        settings: every key of the recipe, `"optimizer.generator.lr"`, with its value; lists are tuples.
        state: `"finished"`, `"running"`, `"failed"`, `"ended early"` (by a callback), `"pruned"` (by a search), or
            `"stopped"`, whether asked to or by a crash.
        reason: why it failed, was ended early or pruned.
        step: of the newest checkpoint or line of `metrics.jsonl`.
        total_steps: how many steps it has when it is finished; None where that is not recorded.
        seconds: of training, by the newest line.
        losses: values of the newest line of `metrics.jsonl`: `"loss/generator"`.
        metrics: results of the newest evaluation that are numbers: `"frechet_distance"`.
        metrics_step: the step of that evaluation, or None.
        better: for each metric `"lower"`, `"higher"` or `""`.
        problems: what could not be read, a sentence each.
    """

    directory: Path
    name: str
    recipe: str = ""
    settings: Mapping[str, Any] = field(factory=dict, repr=False)
    state: str = "stopped"
    reason: str = ""
    step: int = 0
    total_steps: int | None = None
    seconds: float = 0.0
    losses: Mapping[str, float] = field(factory=dict)
    metrics: Mapping[str, float] = field(factory=dict)
    metrics_step: int | None = None
    better: Mapping[str, str] = field(factory=dict, repr=False)
    problems: tuple[str, ...] = field(default=(), repr=False)

    def value(self, key: str) -> Any:
        """Return a setting, a metric or a loss, or one of the attributes above that is a value; None if it has none."""
        for values in (self.settings, self.metrics, self.losses):
            if key in values:
                return values[key]
        return getattr(self, key) if key in COLUMNS else None

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        plain = {key: getattr(self, key) for key in COLUMNS}
        tables = {key: dict(getattr(self, key)) for key in ("settings", "losses", "metrics")}
        return {"directory": str(self.directory), **plain, "metrics_step": self.metrics_step, **tables}


COLUMNS = ("name", "recipe", "state", "reason", "step", "total_steps", "seconds")
"""The attributes of a run that are one value, which can be filtered and sorted by as settings and metrics can."""


class Runs(Sequence[RunRecord]):
    """Run records in the order of their names."""

    def __init__(self, records: Iterable[RunRecord]) -> None:
        self._records = tuple(records)

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, place: Any) -> Any:
        return Runs(self._records[place]) if isinstance(place, slice) else self._records[place]

    def __repr__(self) -> str:
        return f"Runs of {len(self)}"

    def _repr_html_(self) -> str:
        settings = self.telling()
        metrics = list(dict.fromkeys(key for record in self for key in record.metrics))
        keys = ["name", *settings, "state", "step", *metrics]
        rows = [["" if (value := record.value(key)) is None else show_value(value) for key in keys] for record in self]
        return html_table([["run", *short_names(settings).values(), *keys[len(settings) + 1 :]], *rows])

    def differing(self) -> list[str]:
        """Return the settings that are not the same in all runs that have settings, in the order of the recipes."""
        tables = [record.settings for record in self if record.settings]
        keys = dict.fromkeys(key for table in tables for key in table)
        missing = object()
        return [key for key in keys if len({table.get(key, missing) for table in tables}) > 1]

    def telling(self) -> list[str]:
        """Return the differing settings without those that change in step with another that has the same last word.

        Such as the rate of one optimizer, where a sweep gives both the same. Settings of metrics are returned only
        where nothing else differs.
        """
        seen: dict[tuple[str, ...], str] = {}
        differing = self.differing()
        for key in [key for key in differing if not key.startswith("metrics.")] or differing:
            word = key if key.endswith(".use") else key.rpartition(".")[2]
            seen.setdefault((word, *(str(record.settings.get(key)) for record in self)), key)
        return list(seen.values())

    def to_pandas(self) -> "pandas.DataFrame":
        """Return a `pandas.DataFrame`: a row for each run; settings that differ, losses and metrics are columns too.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        from pandas import DataFrame

        keys = self.differing()
        rows = [
            {
                **{key: getattr(record, key) for key in COLUMNS},
                **{key: plain(record.settings.get(key)) for key in keys},
                **record.losses,
                **record.metrics,
            }
            for record in self
        ]
        return DataFrame(rows)


def load_runs(*folders: str | os.PathLike[str]) -> Runs:
    """Read every run directory in some folders, or those folders themselves; nothing is run and torch is not imported.

    Args:
        folders: run directories, or folders that they are in, at most three levels up: `"runs"`, `"sweeps/losses"`.

    Raises:
        RunError: the folder does not exist.
    """
    records: list[RunRecord] = []
    for folder in folders or ("runs",):
        path = Path(folder)
        if not is_folder(path):
            raise RunError(f"{path}: no such folder; name one that holds runs")
        if (path / "environment.json").is_file():
            records.append(read_run(path, path.name))
        else:
            records.extend(_runs_in(str(path), "", DEPTH))
    return Runs(records)


def _runs_in(folder: str, prefix: str, depth: int) -> Iterator[RunRecord]:
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:  # removed since it was listed
        return
    with entries:
        names = sorted((each.name for each in entries if each.is_dir(follow_symlinks=False)), key=_natural)
    ended = _read_ended(folder) if ENDED in names else {}
    for name in names:
        path = f"{folder}/{name}"
        if name.startswith(".") or name == ENDED:
            continue
        if os.path.isfile(f"{path}/environment.json"):  # noqa: PTH113 - thousands of them
            yield read_run(Path(path), prefix + name, ended.pop(name, {}))
        elif depth:
            yield from _runs_in(path, f"{prefix}{name}/", depth - 1)
    for name, how in ended.items():  # it failed before it had a directory
        yield RunRecord(
            Path(folder, name), prefix + name, state=text_of(how.get("state")), reason=text_of(how.get("reason"))
        )


def _natural(name: str) -> list[Any]:
    return [(int(word), "") if word.isdigit() else (-1, word) for word in re.split(r"(\d+)", name)]


def _read_ended(folder: str) -> dict[str, dict[str, Any]]:
    found = {}
    for path in sorted(Path(folder, ENDED).glob("*.json")):
        try:
            found[path.stem] = read_object(path)
        except RunError:
            continue
    return found


def read_run(directory: Path, name: str, ended: Mapping[str, Any] | None = None) -> RunRecord:
    """Read one run directory; what is damaged in it is named in `problems`.

    Args:
        directory: the run directory.
        name: what it is called.
        ended: what the folder of its sweep says of its end.
    """
    problems: list[str] = []
    settings: dict[str, Any] = {}
    environment: dict[str, Any] = {}
    try:
        settings = read_recipe_settings(directory / "recipe.toml")
    except RunError as error:
        problems.append(str(error))
    try:
        environment = _read_environment(directory / "environment.json")
    except RunError as error:
        problems.append(str(error))
    lines = _last_line(f"{directory}/metrics.jsonl")
    metrics_step, metrics, better = _newest_evaluation(directory, problems)
    saved = _newest_checkpoint(directory)
    resumed = environment.get("resumed")
    newest = resumed[-1] if isinstance(resumed, list) and resumed and isinstance(resumed[-1], dict) else environment
    total = count_of(newest.get("total_steps"))
    step = max(saved or 0, count_of(lines.get("step")) or 0)
    done = step if saved is None else saved
    goal = settings.get("run.max_steps") if total is None else total
    state = str((ended or {}).get("state", "stopped"))
    if isinstance(goal, int) and done >= goal:
        state = "finished"
    elif is_locked(directory):
        state = "running"
    return RunRecord(
        directory,
        name,
        text_of(environment.get("name")),
        settings,
        state,
        text_of((ended or {}).get("reason")) if state not in ("finished", "running") else "",
        step,
        total,
        number_of(lines.get("seconds")) or 0.0,
        {key: number for key, value in lines.items() if key not in _PLACE and (number := number_of(value)) is not None},
        metrics,
        metrics_step,
        better,
        tuple(problems),
    )


def read_recipe_settings(path: Path) -> dict[str, Any]:
    """Return every key of a TOML file with its value, lists as tuples: `{"optimizer.generator.lr": 0.0002}`.

    In what ganfw writes each line is a statement of its own, and most lines are the same in many runs: each is parsed
    once. A file of another form is parsed as a whole.

    Raises:
        RunError: it cannot be read, or is not TOML.
    """
    try:
        text = read_bounded(path, MAX_BYTES).decode()
    except UnicodeDecodeError:
        raise RunError(f"{path}: not UTF-8") from None
    found: dict[str, Any] = {}
    try:
        table = ""
        for line in text.split("\n"):
            key, value = _statement(line)
            if value is None:
                table = key
            elif key:
                found[table + key] = value
    except ValueError:
        try:
            return {dotted(keys): fixed(value) for keys, value in leaves(tomllib.loads(text))}
        except (ValueError, RecursionError) as error:
            raise RunError(f"{path}: not TOML: {text_of(str(error))}") from None
    return found


@functools.lru_cache(1 << 15)
def _statement(line: str) -> tuple[str, Any]:
    """Return the key and the value of a line; of a table's header what its keys begin with, and None.

    Raises:
        ValueError: the line is not a whole statement, or one that sets several keys.
    """
    try:
        path, value = innermost(tomllib.loads(line))
    except RecursionError:
        raise ValueError from None
    if not path:
        return "", ""
    if line.lstrip().startswith("["):
        if value != {}:
            raise ValueError("an array of tables")
        return f"{dotted(path)}.", None
    if isinstance(value, dict):
        raise ValueError("an inline table")
    return dotted(path), fixed(value)


def fixed(value: Any) -> Any:
    """Return a value that can be compared and shared by many records."""
    if isinstance(value, list):
        return tuple(map(fixed, value))
    return json.dumps(value, default=str) if isinstance(value, dict) else value


def _read_environment(path: Path) -> dict[str, Any]:
    """Return an `environment.json`; of a run that was never resumed, without the long table of parts.

    Raises:
        RunError: it cannot be read, or is not a JSON object.
    """
    content = read_bounded(path, MAX_OBJECT_BYTES)
    head, parts, _ = content.partition(b',\n  "parts": {')
    if parts and content.endswith(b'\n  "resumed": []\n}\n'):
        with contextlib.suppress(RunError):
            return parse_object(head + b"}", str(path))
    return parse_object(content, str(path))


def _last_line(path: str) -> dict[str, Any]:
    """Return the last whole line of a `metrics.jsonl`, empty if there is none."""
    try:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode):
            return {}
        with open(path, "rb") as file:  # noqa: PTH123 - thousands of them
            file.seek(max(0, found.st_size - _LAST_BYTES))
            lines = file.read(_LAST_BYTES).split(b"\n")
    except OSError:
        return {}
    for line in reversed(lines[:-1]):
        try:
            return parse_object(line, path)
        except RunError:
            continue
    return {}


def _newest_checkpoint(directory: Path) -> int | None:
    """Return the step of the checkpoint that was saved last, None if there is none."""
    try:
        match = re.fullmatch(rb"step-(\d{1,15})\n?", read_bounded(directory / "checkpoints" / LATEST, MAX_LATEST_BYTES))
    except RunError:
        return None
    return int(match[1]) if match else None


def _newest_evaluation(directory: Path, problems: list[str]) -> tuple[int | None, dict[str, float], dict[str, str]]:
    """Return the step, the results and what is better of the newest evaluation, the plainest of several."""
    try:
        names = os.listdir(f"{directory}/eval")  # noqa: PTH208 - thousands of them
    except OSError:
        return None, {}, {}
    found = [(int(match[1]), -len(match[0]), name) for name in names if (match := _EVALUATION.fullmatch(name))]
    if not found:
        return None, {}, {}
    step, _, name = max(found)
    try:
        results = read_object(directory / "eval" / name).get("metrics")
    except RunError as error:
        problems.append(str(error))
        return None, {}, {}
    entries = results if isinstance(results, dict) else {}
    numbers = {
        text_of(key): (number, entry.get("better"))
        for key, entry in entries.items()
        if isinstance(entry, dict) and (number := number_of(entry.get("value"))) is not None
    }
    metrics = {key: number for key, (number, _) in numbers.items()}
    return step, metrics, {key: text_of(better) for key, (_, better) in numbers.items()}
