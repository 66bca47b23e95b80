"""What a sweep varies: `sweep.toml`, read and checked."""

import math
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from ganfw.errors import RecipeError, did_you_mean
from ganfw.plugins.registry import Registry
from ganfw.plugins.signature import show
from ganfw.recipe.document import Recipe
from ganfw.recipe.layers import Layers, parse_overrides, read_recipe
from ganfw.recipe.origins import KeyPath, Locate, Origin, dotted, innermost, is_bare, leaves, nested

FORMAT = 1
"""The version of the format of `sweep.toml`."""
FILE = "sweep.toml"
"""The file in a sweep's folder that says what the sweep is."""
KEYS = ("format", "recipe", "seeds", "evaluate", "set", "grid", "variants", "search", "launcher")
SAMPLERS = ("tpe", "random")
EVALUATED = 10_000
"""How many samples each trial is evaluated with at its end, if the sweep does not say it."""


@frozen
class Range:
    """The numbers that a search may choose.

    Attributes:
        low: the smallest; both ends are ints for a key that takes ints.
        high: the largest.
        log: whether a factor means the same everywhere.
    """

    low: float
    high: float
    log: bool = False


@frozen
class Best:
    """How the best setting of a search is trained again.

    Attributes:
        seeds: other ones than those of the search.
        settings: laid on top: `{"callbacks": {"evaluate": {"held_out": True}}}`.
    """

    seeds: tuple[int, ...]
    settings: Mapping[str, Any]


@frozen
class Search:
    """What a search looks for, and where.

    Attributes:
        trials: how many settings of each variant are tried, each with every seed.
        metric: whose mean over the seeds is made good.
        keys: for each key a range, or a list of values.
        sampler: `"tpe"` or `"random"`.
        seed: of the sampler.
        prune: whether to give up settings whose first seed is worse during training than the median of earlier ones.
        best: how the best setting of each variant is trained again, or None.
    """

    trials: int
    metric: str
    keys: Mapping[KeyPath, "Range | Sequence[Any]"]
    sampler: str = "tpe"
    seed: int = 0
    prune: bool = False
    best: Best | None = None


@frozen
class Sweep:
    """A sweep.

    Attributes:
        recipe: what all trials have in common, the table `set` laid on top.
        source: the recipe's path or name.
        layers: the tables of `sweep.toml`, and where each key was written.
        seeds: of the trials of each setting.
        evaluate: how many samples each trial is evaluated with at its end; 0 for none.
        grid: the values of each key that varies. A key may have `*` for every name in a table.
        variants: tables of settings by name; one of no name where there are none.
        search: what settings are looked for, instead of a grid, for each variant; or None.
        launcher: the table of the launcher.
        file: that it was read from, or None.
    """

    recipe: Recipe
    source: str
    layers: Layers = field(repr=False)
    seeds: tuple[int, ...]
    evaluate: int
    grid: Mapping[KeyPath, Sequence[Any]]
    variants: Mapping[str, Mapping[str, Any]]
    search: Search | None
    launcher: Mapping[str, Any]
    file: Path | None = None

    def origin(self, *path: str) -> Origin:
        """Return where a key of `sweep.toml` was written, or the nearest table around it."""
        return origin_in(self.layers, path)

    def to_toml(self, folder: Path) -> str:
        """Write the sweep as TOML that means the same in another folder."""
        from tomlkit import dumps

        tables = dict(self.layers.tables)
        if _is_file(self.source):
            tables["recipe"] = Path(os.path.relpath(self.source, folder)).as_posix()
            if not _is_file(tables["recipe"]):  # a file in the same folder
                tables["recipe"] = f"./{tables['recipe']}"
        return dumps(tables)


def read_sweep(path: Path, registry: Registry) -> Sweep:
    """Read the sweep that a file says.

    Raises:
        RecipeError: it cannot be read, or anything in it is wrong; the message lists all of it.
        PartError: it names a recipe that is not registered.
    """
    layers = read_recipe(str(path), registry, Path())
    return evolve(_Reader(layers, str(path)).read(path.parent, registry), file=path)


def sweep_of_options(
    recipe: str,
    registry: Registry,
    *,
    seeds: str | None = None,
    evaluate: int | None = None,
    overrides: Iterable[str] = (),
    grid: Iterable[str] = (),
) -> Sweep:
    """Make a sweep of a recipe and of options of the command line.

    Args:
        recipe: its path or name.
        registry: where names are looked up.
        seeds: how many, or which, with commas: `"3"`, `"0,7"`.
        evaluate: how many samples each trial is evaluated with.
        overrides: what all trials have in common: `"run.epochs=1"`.
        grid: keys that vary: `"loss.use=bce,hinge"`.

    Raises:
        RecipeError: anything is wrong; the message lists all of it.
        PartError: no recipe of that name is registered.
    """
    layers = _under("set", parse_overrides(overrides)) if overrides else Layers()
    top: dict[str, Any] = {"format": FORMAT, "recipe": recipe}
    if seeds is not None:
        top["seeds"] = int(seeds) if seeds.isdecimal() else _values(seeds)
    if evaluate is not None:
        top["evaluate"] = evaluate
    layers = layers.with_layer(top, lambda path: Origin(f"--{path[0]} {seeds if path[0] == 'seeds' else evaluate}"))
    for option in grid:
        key, _, right = option.partition("=")
        quoted = re.sub(r"\.\*(?=\.|$)", '."*"', key.strip())
        parsed = parse_overrides([f"{quoted}=[]"])  # which says what is wrong with the key
        path, _ = innermost(parsed.tables)
        layers = layers.with_layer(nested(("grid", *path), _values(right)), always(Origin(f"--grid {option}")))
    return _Reader(layers, "the options").read(Path(), registry)


def _under(table: str, layers: Layers) -> Layers:
    return Layers({table: layers.tables}, {(table, *path): origin for path, origin in layers.origins.items()})


def _values(text: str) -> list[Any]:
    """Return values with commas between them: each is TOML, or text if it is not."""
    try:
        return list(tomllib.loads(f"values = [{text}]")["values"])
    except tomllib.TOMLDecodeError:
        return [parse_overrides([f"values.one={word}"]).tables["values"]["one"] for word in text.split(",")]


def _is_file(source: str) -> bool:
    return source.endswith(".toml") or "/" in source or os.sep in source


class _Reader:
    """One pass over the tables of a sweep, gathering problems."""

    def __init__(self, layers: Layers, file: str) -> None:
        self.layers = layers
        self.file = file
        self.problems: list[str] = []

    def read(self, folder: Path, registry: Registry) -> Sweep:
        tables = self.layers.tables
        for key in tables:
            if key not in KEYS:
                self.problem(
                    (key,),
                    f"unknown key {show(key)} of a sweep",
                    did_you_mean(key, KEYS),
                    f"keys are {', '.join(KEYS)}",
                )
        if type(tables.get("format")) is not int or tables["format"] != FORMAT:
            self.problem(("format",), f"format must be {FORMAT}, the format of sweeps that this version reads")
        evaluate = tables.get("evaluate", EVALUATED)
        if type(evaluate) is not int or evaluate < 0:
            self.problem(("evaluate",), f"evaluate must be a number of samples, or 0, not {show(evaluate)}")
        source = tables.get("recipe")
        if not isinstance(source, str):
            self.problem(("recipe",), "a sweep needs the key 'recipe', the path or the name of one")
            source = ""
        elif _is_file(source):
            source = os.path.normpath(folder / source)
        seeds = self._seeds(tables.get("seeds", [0]), ("seeds",))
        grid, variants, search = dict(self._grid()), self._variants(), self._search(seeds)
        launcher = self._table("launcher")
        common = self._table("set")
        if self.problems:
            raise RecipeError("\n\n".join(self.problems))
        recipe = Recipe.load(source, registry)
        recipe = Recipe.of_layers(
            recipe.with_layer(common, lambda path: origin_in(self.layers, ("set", *path))), recipe.name
        )
        return Sweep(recipe, source, self.layers, seeds, evaluate, grid, variants, search, launcher)

    def problem(self, path: KeyPath, what: str, *hints: str) -> None:
        origin = origin_in(self.layers, path, self.file)
        self.problems.append("\n  ".join([origin.complaint(what), *filter(None, hints)]))

    def _table(self, name: str) -> Mapping[str, Any]:
        table = self.layers.tables.get(name, {})
        if isinstance(table, dict):
            return table
        self.problem((name,), f"'{name}' must be a table: [{name}]")
        return {}

    def _seeds(self, seeds: Any, at: KeyPath) -> tuple[int, ...]:
        if type(seeds) is int and seeds >= 1:
            return tuple(range(seeds))
        if not isinstance(seeds, list) or not seeds or not all(type(seed) is int and seed >= 0 for seed in seeds):
            self.problem(at, f"{'.'.join(at)} must be how many, or a list of different ints >= 0, not {show(seeds)}")
            return ()
        for seed in dict.fromkeys(seed for seed in seeds if seeds.count(seed) > 1):
            self.problem(at, f"seed {seed} is listed twice: a run with it would be the same run")
        return tuple(seeds)

    def _grid(self) -> Iterator[tuple[KeyPath, list[Any]]]:
        table = self._table("grid")
        if "grid" in self.layers.tables and not table:
            self.problem(
                ("grid",), '[grid] is empty: write keys of the recipe with lists of values: loss.use = ["bce", "hinge"]'
            )
        for path, values in leaves(table):
            at = ("grid", *path)
            if not isinstance(values, list) or not values:
                self.problem(at, f"{pattern_of(path)} must be a list of values, not {show(values)}")
                continue
            for place, value in enumerate(values):
                if value in values[:place]:
                    self.problem(at, f"{pattern_of(path)} lists {show(value)} twice")
            path = _words(path)
            if path == ("run", "seed"):
                self.problem(at, "run.seed is not a key of a grid: write seeds = […] at the top")
            yield path, values

    def _variants(self) -> Mapping[str, Mapping[str, Any]]:
        table = self._table("variants")
        if "variants" in self.layers.tables and not table:
            self.problem(("variants",), "[variants] is empty: write a table [variants.NAME] for each")
        for name, settings in table.items():
            if not is_bare(name):
                self.problem(
                    ("variants", name), f"a variant's name must be of letters, digits, '_' and '-', not {show(name)}"
                )
            if not isinstance(settings, dict):
                self.problem(("variants", name), f"'variants.{name}' must be a table of settings: [variants.{name}]")
        return table or {"": {}}

    def _search(self, seeds: Sequence[int]) -> Search | None:
        table = dict(self._table("search"))
        if "search" not in self.layers.tables:
            return None
        if "grid" in self.layers.tables:
            self.problem(
                ("grid",), "a sweep has a search or [grid], not both; what a search chooses is in [search.keys]"
            )
        known = {"trials", "metric", "keys", "sampler", "seed", "prune", "best"}
        for key in sorted(table.keys() - known):
            self.problem(("search", key), f"unknown key {show(key)} of [search]", did_you_mean(key, known))
        trials, metric, keys = table.get("trials"), table.get("metric"), table.get("keys")
        sampler, seed, prune = table.get("sampler", "tpe"), table.get("seed", 0), table.get("prune", False)
        if type(prune) is not bool:
            self.problem(("search", "prune"), f"search.prune must be true or false, not {show(prune)}")
        if type(trials) is not int or trials < 1:
            self.problem(
                ("search", "trials"), f"search.trials must be how many settings to try, an int >= 1, not {show(trials)}"
            )
        if not isinstance(metric, str):
            self.problem(
                ("search", "metric"), f"search.metric must be the name of a metric or a loss, not {show(metric)}"
            )
        if sampler not in SAMPLERS:
            self.problem(("search", "sampler"), f"search.sampler must be 'tpe' or 'random', not {show(sampler)}")
        if type(seed) is not int or seed < 0:
            self.problem(("search", "seed"), f"search.seed must be an int >= 0, not {show(seed)}")
        if not isinstance(keys, dict) or not keys:
            example = "optimizer.generator.lr = { low = 1e-5, high = 1e-2, log = true }"
            self.problem(("search", "keys"), f"[search.keys] must say what is chosen: {example}")
            keys = {}
        space, best = dict(self._space(keys, ())), self._best(table.get("best"), seeds)
        return None if self.problems else Search(trials, metric, space, sampler, seed, prune, best)  # type: ignore[arg-type]

    def _best(self, table: Any, searched: Sequence[int]) -> Best | None:
        if table is None:
            return None
        at = ("search", "best")
        if not isinstance(table, dict) or not table.keys() <= {"seeds", "set"} or "seeds" not in table:
            self.problem(at, "[search.best] must have the key 'seeds', and may have a table [search.best.set]")
            return None
        seeds = self._seeds(table["seeds"], (*at, "seeds"))
        if again := [seed for seed in seeds if seed in searched]:
            what = f"seed {again[0]} is one of the search: a setting is best with it because it was chosen by it"
            self.problem((*at, "seeds"), what)
        settings = table.get("set", {})
        if not isinstance(settings, dict):
            self.problem((*at, "set"), "'search.best.set' must be a table: [search.best.set]")
        return Best(seeds, settings)

    def _space(self, table: Mapping[str, Any], path: KeyPath) -> Iterator[tuple[KeyPath, "Range | Sequence[Any]"]]:
        for key, value in table.items():
            at = (*path, key)
            if isinstance(value, dict) and value and not value.keys() & {"low", "high", "log"}:
                yield from self._space(value, at)
            elif isinstance(value, list) and len(value) > 1:
                yield _words(at), value
            elif isinstance(value, dict) and (found := _range(value)):
                yield _words(at), found
            else:
                what = "a list of values, or { low = …, high = … } with low < high, and 0 < low with log = true"
                self.problem(("search", "keys", *at), f"{pattern_of(at)} must be {what}, not {show(value)}")


def _words(path: KeyPath) -> KeyPath:
    """Return a path in which a quoted key with dots, `"optimizer.*.lr"`, is the keys between its dots."""
    return tuple(word for key in path for word in key.split("."))


def _range(table: Mapping[str, Any]) -> Range | None:
    """Return the range that a table says, or None."""
    low: Any = table.get("low")
    high: Any = table.get("high")
    log = table.get("log", False)
    if table.keys() - {"low", "high", "log"} or type(log) is not bool:
        return None
    if type(low) not in (int, float) or type(high) not in (int, float):
        return None
    least = 0.0 if log else -math.inf
    return Range(low, high, log) if least < low < high < math.inf else None


def origin_in(layers: Layers, path: KeyPath, otherwise: str = "the sweep") -> Origin:
    """Return where a key was written, or the nearest table around it."""
    above = (path[:length] for length in range(len(path), 0, -1))
    return next((layers.origins[each] for each in above if each in layers.origins), Origin(otherwise))


def pattern_of(path: KeyPath) -> str:
    """Write a key of a grid, which may have a `*` for every name in a table."""
    return ".".join(word if word == "*" else dotted((word,)) for word in path)


def always(origin: Origin) -> Locate:
    """Return what gives every key this origin."""
    return lambda _: origin
