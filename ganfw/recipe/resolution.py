"""Check a recipe against the registry and fill in every default. All problems are reported at once."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ganfw.errors import PartError, RecipeError, did_you_mean
from ganfw.plugins.discovery import CORE
from ganfw.plugins.registry import RegisteredPart, Registry
from ganfw.plugins.signature import RESERVED_KEYS, Key, complaint, convert, read_signature, show, with_article
from ganfw.recipe.document import Recipe
from ganfw.recipe.expectations import FORMS, Band, Expectation, MeasuredRuns
from ganfw.recipe.layers import Layers
from ganfw.recipe.origins import KeyPath, Origin, dotted, is_bare, nested, value_at
from ganfw.recipe.requirements import misfits
from ganfw.recipe.resolved import ResolvedRecipe
from ganfw.recipe.settings import RunSettings
from ganfw.recipe.tables import DEFAULT_TABLES, FORMAT, TABLES, Table, own_keys

DEFAULT = Origin("default", distribution=CORE)
MAX_SHOWN = 50
"""An error lists this many problems at most, because a file that is not a recipe can have thousands."""


def resolve(recipe: Recipe, registry: Registry, *, only: Collection[str] | None = None) -> ResolvedRecipe:
    """Check a recipe and fill in its defaults; only the parts that it names are imported.

    Args:
        recipe: the recipe.
        registry: what the plugins offer.
        only: the part tables to look at, such as `["noise", "generator"]`; None for all.

    Raises:
        RecipeError: anything is missing, unknown, of a wrong type or out of range; the message lists all of it (up
            to 50 problems), each with file and line, the offending text and what to do.
    """
    check = _Check(recipe, registry)
    resolved = check.run([table for table in TABLES if only is None or table.name in only])
    if check.problems:
        count = len(check.problems)
        first = f"; the first {MAX_SHOWN}" if count > MAX_SHOWN else ""
        head = f"{count} problems in recipe '{recipe.name}'{first}\n\n" if count > 1 else ""
        raise RecipeError(head + "\n\n".join(check.problems[:MAX_SHOWN]))
    return resolved


class _Check:
    """One pass over a recipe, gathering problems and the filled-in tables."""

    def __init__(self, recipe: Recipe, registry: Registry) -> None:
        self.registry = registry
        self.name = recipe.name
        defaults = Layers().with_layer(DEFAULT_TABLES, lambda _: DEFAULT)
        self.given = defaults.with_layer(recipe.tables, lambda path: recipe.origins.get(path, DEFAULT))
        self.filled = Layers()
        self.problems: list[str] = []
        self.parts: dict[str, RegisteredPart] = {}

    def run(self, part_tables: list[Table]) -> ResolvedRecipe:
        tables = self.given.tables
        self._fill((), {name: tables[name] for name in ("format", "name") if name in tables})
        if type(tables["format"]) is not int or tables["format"] != FORMAT:
            self.problem(("format",), f"format must be {FORMAT}, the recipe format this version reads")
        allowed = ["format", "name", "run", *(table.name for table in TABLES), "expect"]
        for name in tables:
            if name not in allowed:
                is_table = isinstance(tables[name], dict)
                what = f"unknown table [{dotted((name,))}]" if is_table else f"unknown key {show(name)}"
                self.problem((name,), what, did_you_mean(name, allowed), f"tables are {', '.join(allowed[2:])}")
        settings = self._settings()
        complete = len(part_tables) == len(TABLES)
        for table in part_tables:
            is_table = self._is_table((table.name,), tables.get(table.name, {}))
            complete &= is_table
            for path in table.addresses(tables) if is_table else ():
                complete &= self._part(path, table)
        expectations = dict(self._expectations())
        resolved = ResolvedRecipe(Recipe.of_layers(self.filled, self.name), settings, self.parts, expectations)
        for misfit in misfits(resolved) if complete else ():
            self.problem(misfit.path, misfit.text, *misfit.hints)
        return resolved

    def problem(self, path: KeyPath, what: str, *hints: str) -> None:
        """Note a problem with what was written at `path`."""
        above = (path[:length] for length in range(len(path), 0, -1))
        origins = (self.given.origins[each] for each in above if each in self.given.origins)
        origin = next(origins, Origin(f"recipe '{self.name}'"))
        shown = what if len(what) <= 1000 else f"{what[:999]}…"  # a key may be as long as a file
        self.problems.append("\n  ".join([origin.complaint(shown), *filter(None, hints)]))

    def _fill(self, path: KeyPath, table: Mapping[str, Any]) -> None:
        layer = nested(path, table)
        self.filled = self.filled.with_layer(layer, lambda at: self.given.origins.get(at, DEFAULT))

    def _is_table(self, path: KeyPath, value: object) -> bool:
        if not isinstance(value, dict):
            self.problem(path, f"'{dotted(path)}' must be a table: [{dotted(path)}]")
        return isinstance(value, dict)

    def _settings(self) -> RunSettings:
        run = self.given.tables.get("run", {})
        if self._is_table(("run",), run):
            keys = read_signature(RunSettings, "[run]").keys
            run = self._parameters(("run",), run, keys, "[run]", f"its keys are {', '.join(keys)}")
            self._fill(("run",), run)
        return RunSettings() if self.problems else RunSettings(**run)

    def _expectations(self) -> Iterator[tuple[str, Expectation]]:
        """Yield each form that the recipe expects results of."""
        forms = self.given.tables.get("expect", {})
        for form, table in forms.items() if self._is_table(("expect",), forms) else ():
            path, owner = ("expect", form), f"[expect.{form}]"
            if form not in FORMS:
                self.problem(path, f"unknown form {show(form)} of a run", f"forms are {', '.join(FORMS)}")
            elif self._is_table(path, table):
                keys = read_signature(MeasuredRuns, owner).keys
                given = {name: value for name, value in table.items() if name != "within"}
                filled = self._parameters(path, given, keys, owner, f"its keys are {', '.join(keys)}, within")
                within = dict(self._bands((*path, "within"), table.get("within", {})))
                if not self.problems:
                    yield form, Expectation(MeasuredRuns(**filled), within)

    def _bands(self, path: KeyPath, table: Any) -> Iterator[tuple[str, Band]]:
        """Yield the band of each metric."""
        if self._is_table(path, table) and not table:
            example = "frechet_distance = [8.1, 9.7]"
            self.problem(path, f"[{dotted(path)}] must say which values are expected: {example}")
        for name, band in table.items() if isinstance(table, dict) else ():
            wrong = complaint(Band, band)
            if wrong is None and band[0] > band[1]:
                wrong = f"must be a lowest and a highest value, not {show(band)}"
            if wrong is not None:
                self.problem((*path, name), f"{dotted((*path, name))} {wrong}")
            else:
                yield name, (float(band[0]), float(band[1]))

    def _part(self, path: KeyPath, holder: Table) -> bool:
        """Check one part's table and fill it in; return whether it names a part that is there."""
        kind, where, table = holder.kind, dotted(path), value_at(self.given.tables, path)
        if not is_bare(path[-1]):
            self.problem(path, f"[{where}] has a name that is not of letters, digits, '_' and '-'")
            return False
        if table is None:
            self.problem(path, f"table [{where}] is missing", f"see: ganfw parts {kind}")
            return False
        if not self._is_table(path, table):
            return False
        use, enabled = table.get("use"), table.get("enabled", True)
        if not isinstance(use, str):
            what = "names no part" if use is None else f"names its part by {show(use)}, which is not a string"
            key = path if use is None else (*path, "use")
            self.problem(key, f'[{where}] {what}; write use = "…"', f"see: ganfw parts {kind}")
            return False
        if "enabled" in table and holder.required:
            self.problem((*path, "enabled"), f"[{where}] is needed, so it cannot have the key 'enabled'")
        elif not isinstance(enabled, bool):
            self.problem((*path, "enabled"), f"'enabled' must be true or false, not {show(enabled)}")
        if enabled is False:
            self._fill(path, table)
            return True
        try:
            origin = self.given.origins.get((*path, "use"), DEFAULT)
            part = self.registry.find(kind, use, of=origin.distribution)
            signature = part.signature()
        except PartError as error:
            self.problem((*path, "use"), *str(error).split("; "))
            return False
        self.parts[where] = part
        own = own_keys(holder)
        if taken := sorted(own.keys() & signature.keys.keys()):
            self.problem((*path, "use"), f"{part}: parameter '{taken[0]}' takes a word that [{where}] uses itself")
        reserved = {name: table[name] for name in RESERVED_KEYS if name in table}
        given = {name: value for name, value in table.items() if name not in reserved}
        see = f"see: ganfw parts {kind} {use}"
        filled = self._parameters(path, given, {**own, **signature.keys}, f"{kind} '{use}'", see, own)
        self._fill(path, reserved | filled)
        return True

    def _parameters(
        self,
        path: KeyPath,
        given: Mapping[str, Any],
        keys: Mapping[str, Key],
        owner: str,
        see: str,
        own: Collection[str] = (),
    ) -> dict[str, Any]:
        """Check the keys of a table and return them filled in, those that the table has of its own only where given."""
        filled: dict[str, Any] = {}
        for name in given:
            if name not in keys:
                hint = did_you_mean(name, keys)
                self.problem((*path, name), f"unknown key {show(name)} of {owner}", hint, see)
        for name, key in keys.items():
            at = (*path, name)
            if name not in given:
                if key.required:
                    self.problem(path, f"{owner} needs the key '{name}', {with_article(key.type_name)}", see)
                elif key.default is not None and name not in own:  # TOML has no word for None: it is left out
                    filled[name] = _plain(key.default)
                continue
            value, text = given[name], self.given.origins[at].right_side
            if text is not None and key.complaint(value) and not key.complaint(text):
                value = text  # a folder called 2024
            if wrong := key.complaint(value):
                self.problem(at, f"{dotted(at)} {wrong}", see)
            elif value is not None:
                filled[name] = _plain(convert(key.annotation, value))
        return filled


def _plain(value: Any) -> Any:
    """Write tuples as the lists that TOML has."""
    return [_plain(element) for element in value] if isinstance(value, list | tuple) else value
