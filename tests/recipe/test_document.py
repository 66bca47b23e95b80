import math
import tomllib
from datetime import UTC, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st

from ganfw import PartError, Recipe, RecipeError, Registry
from ganfw.recipe.layers import Layers
from ganfw.recipe.origins import Origin
from ganfw.recipe.resolution import resolve
from ganfw.terminal import blank

TEXT = """\
format = 1

[run]
seed = 3

[optimizer.generator]
use = "adam"
lr = 1e-5
"""

TABLES = {"format": 1, "run": {"seed": 3}, "optimizer": {"generator": {"use": "adam", "lr": 1e-5}}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "my_gan.toml"
    path.write_text(TEXT)
    return path


class TestLoading:
    def test_a_recipe_is_loaded_from_a_file_and_named_after_it(self, path: Path) -> None:
        for source in (path, str(path)):
            recipe = Recipe.load(source)
            assert (recipe.tables, recipe.name) == (TABLES, "my_gan")
            assert recipe.origins[("optimizer", "generator", "lr")] == Origin(f"{path}:8", "lr = 1e-5")

    def test_a_path_starts_from_the_working_directory(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(path.parent)
        recipe = Recipe.load("my_gan.toml")
        assert recipe.tables == TABLES
        assert recipe.origins[("format",)] == Origin("my_gan.toml:1", "format = 1")

    @pytest.mark.parametrize("name", ["mnist_mlp", "ganfw:mnist_mlp"])
    def test_a_registered_recipe_is_loaded_by_its_name(self, registry: Registry, name: str) -> None:
        recipe = Recipe.load(name, registry)
        assert (recipe.name, recipe.tables["data"]) == ("mnist_mlp", {"use": "mnist"})

    def test_without_a_registry_the_installed_plugins_are_asked(self) -> None:
        assert Recipe.load("mnist_mlp").name == "mnist_mlp"
        assert Recipe(extends="mnist_mlp").tables == Recipe.load("mnist_mlp").as_base().tables

    def test_a_recipe_that_cannot_be_read_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(RecipeError) as caught:
            Recipe.load(tmp_path / "none.toml")
        assert str(caught.value) == f"{tmp_path}/none.toml: no such recipe; see: ganfw recipes"

    @pytest.mark.parametrize("name", ["", ".hidden", "..", "a/b", "a\\\\b", "two\\nlines", "\\x1b[2J", "a\\0"])
    def test_a_name_that_no_run_can_have_is_an_error(self, name: str) -> None:
        with pytest.raises(RecipeError) as caught:
            Recipe(name=name)
        assert str(caught.value) == f"a recipe cannot be called {name!r}, for its runs are named after it"

    def test_a_name_that_is_not_registered_is_an_error(self) -> None:
        with pytest.raises(PartError) as caught:
            Recipe.load("mnist_mpl", Registry(()))
        assert str(caught.value) == "no recipe is named 'mnist_mpl'; see: ganfw recipes"

    def test_a_name_that_is_nearly_that_of_a_recipe_gets_a_suggestion(self, registry: Registry) -> None:
        with pytest.raises(PartError) as caught:
            Recipe.load("mnist_mpl", registry)
        assert str(caught.value).startswith("no recipe is named 'mnist_mpl'; did you mean 'mnist_mlp'")


class TestParsing:
    def test_text_is_read_as_a_file_would_be(self) -> None:
        recipe = Recipe.parse(TEXT, name="mine", file="run/recipe.toml")
        assert (recipe.tables, recipe.name) == (TABLES, "mine")
        assert recipe.origins[("run", "seed")] == Origin("run/recipe.toml:4", "seed = 3")

    def test_text_without_a_name_is_an_experiment(self) -> None:
        recipe = Recipe.parse(TEXT)
        assert (recipe.name, recipe.origins[("format",)].label) == ("experiment", "recipe.toml:1")

    def test_lines_may_end_as_on_windows(self) -> None:
        recipe = Recipe.parse(TEXT.replace("\n", "\r\n"))
        assert recipe.tables == TABLES
        assert recipe.origins[("run", "seed")] == Origin("recipe.toml:4", "seed = 3")

    def test_text_may_extend_a_registered_recipe(self) -> None:
        recipe = Recipe.parse('extends = "mnist_mlp"\n[run]\nseed = 99\n')
        assert recipe.tables["run"]["seed"] == 99
        assert recipe.tables["data"] == {"use": "mnist"}

    def test_names_are_looked_up_in_a_given_registry(self, registry: Registry) -> None:
        text = 'extends = "mnist_mlp"'
        assert Recipe.parse(text, registry=registry).tables == Recipe.load("mnist_mlp", registry).as_base().tables
        with pytest.raises(PartError) as caught:
            Recipe.parse(text, file="f", registry=Registry(()))
        assert str(caught.value) == "no recipe is named 'mnist_mlp'; see: ganfw recipes\n  extended at f:1"

    @pytest.mark.parametrize("base", ['"mnist_mlp"', '"/dev/zero"', "1"])
    def test_a_recipe_from_a_stranger_may_read_nothing_else(self, base: str) -> None:
        assert Recipe.parse(TEXT, alone=True).tables == TABLES
        with pytest.raises(RecipeError) as caught:
            Recipe.parse(f"\nextends = {base}", file="f", alone=True)
        assert str(caught.value) == f"f:2: extends is not allowed here; write the whole recipe\n    extends = {base}"

    def test_text_that_no_file_can_hold_is_an_error(self) -> None:
        with pytest.raises(RecipeError) as caught:
            Recipe.parse("format = 1\na = '\udce9'", file="f")
        assert str(caught.value) == "f:2: no UTF-8 text, which TOML must be"

    def test_text_that_is_no_toml_is_an_error(self) -> None:
        with pytest.raises(RecipeError) as caught:
            Recipe.parse("\nrun =", file="f")
        assert str(caught.value) == "f:2: not valid TOML: invalid value\n    run ="


class TestPython:
    def test_a_recipe_in_python_equals_the_same_in_toml(self) -> None:
        recipe = Recipe(format=1, run={"seed": 3}, optimizer={"generator": {"use": "adam", "lr": 1e-5}})
        assert recipe == Recipe.parse(TEXT)
        assert recipe.name == "experiment"
        assert set(recipe.origins.values()) == {Origin("Python")}

    def test_a_recipe_may_extend_another(self, path: Path) -> None:
        expected = Recipe(format=1, run={"seed": 4}, optimizer={"generator": {"use": "adam", "lr": 1e-5}})
        for base in (Recipe.load(path), path, str(path)):
            recipe = Recipe(name="more", extends=base, run={"seed": 4})
            assert recipe == expected
            assert recipe.name == "more"
            assert recipe.origins[("run", "seed")] == Origin("Python")
            assert recipe.origins[("format",)] == Origin(f"{path}:1", "format = 1")

    def test_a_recipe_may_extend_one_of_a_given_registry(self, registry: Registry) -> None:
        assert (
            Recipe(extends="mnist_mlp", registry=registry).tables == Recipe.load("mnist_mlp", registry).as_base().tables
        )
        with pytest.raises(PartError):
            Recipe(extends="mnist_mlp", registry=Registry(()))

    def test_another_part_drops_the_parameters_of_the_old_one(self, path: Path) -> None:
        recipe = Recipe(extends=path, optimizer={"generator": {"use": "sgd"}})
        assert recipe.tables["optimizer"] == {"generator": {"use": "sgd"}}

    def test_a_recipe_does_not_change_with_what_it_was_made_of(self, path: Path) -> None:
        run = {"list": [1]}
        base = Recipe(run=run)
        extended = Recipe(extends=base)
        run["list"].append(2)
        extended.tables["run"]["list"].append(3)
        assert base.tables == {"run": {"list": [1]}}
        with pytest.raises(FrozenInstanceError):
            base.name = "other"  # type: ignore[misc]

    def test_recipes_are_equal_when_their_tables_are(self) -> None:
        assert Recipe(name="a", run={"seed": 1}) == Recipe.parse("[run]\nseed = 1", name="b")
        assert Recipe(run={"seed": 1}) != Recipe(run={"seed": 2})

    def test_a_recipe_shows_its_tables(self) -> None:
        assert repr(Recipe(name="a", format=1)) == "Recipe('a': format)"


class TestNames:
    def test_a_recipe_may_say_what_it_is_called(self, path: Path) -> None:
        path.write_text(f'name = "my gan"\n{TEXT}')
        recipe = Recipe.load(path)
        assert (recipe.name, recipe.tables["name"]) == ("my gan", "my gan")
        assert Recipe.parse(recipe.to_toml(), name="given") == recipe
        assert Recipe.parse(recipe.to_toml(), name="given").name == "my gan"

    def test_a_recipe_in_python_is_called_by_its_argument(self, path: Path) -> None:
        path.write_text(f'name = "my gan"\n{TEXT}')
        for base in (path, Recipe.load(path)):
            recipe = Recipe(name="other", extends=base)
            assert (recipe.name, recipe.tables) == ("other", TABLES)

    def test_an_option_gives_a_name(self, path: Path) -> None:
        assert Recipe.load(path).with_overrides(["name=wide", "name=2024"]).name == "2024"

    def test_the_name_is_kept_when_the_recipe_is_resolved(self, registry: Registry) -> None:
        resolved = resolve(Recipe.load("mnist_mlp", registry).with_overrides(["name=wide"]), registry)
        assert (resolved.recipe.name, resolved.qualified().name) == ("wide", "wide")
        assert resolved.to_toml().startswith('format = 1     # ganfw:mnist_mlp:9\nname = "wide"  # --set name=wide\n')
        assert Recipe.parse(resolved.to_toml()) == resolved.recipe

    @pytest.mark.parametrize(("written", "shown"), [("5", "5"), ('"a/b"', "'a/b'"), ("[]", "[]"), ('""', "''")])
    def test_a_name_that_no_run_can_have_is_an_error_with_its_line(self, written: str, shown: str) -> None:
        with pytest.raises(RecipeError) as caught:
            Recipe.parse(f"format = 1\nname = {written}", file="f")
        assert str(caught.value) == (
            f"f:2: a recipe cannot be called {shown}, for its runs are named after it\n    name = {written}"
        )
        with pytest.raises(RecipeError) as caught:
            Recipe(name="a").with_overrides(["name=.."])
        assert str(caught.value) == ("--set name=..: a recipe cannot be called '..', for its runs are named after it")


class TestOverrides:
    def test_options_are_laid_on_top(self, path: Path) -> None:
        recipe = Recipe.load(path)
        changed = recipe.with_overrides(["optimizer.generator.lr=0.5", "run.seed=4"])
        assert changed.tables == {
            "format": 1,
            "run": {"seed": 4},
            "optimizer": {"generator": {"use": "adam", "lr": 0.5}},
        }
        assert changed.name == "my_gan"
        assert changed.origins[("run", "seed")] == Origin("--set run.seed=4")
        assert changed.origins[("format",)] == Origin(f"{path}:1", "format = 1")
        assert recipe.tables == TABLES

    def test_another_part_drops_the_parameters_of_the_old_one(self, path: Path) -> None:
        changed = Recipe.load(path).with_overrides(["optimizer.generator.use=sgd"])
        assert changed.tables["optimizer"] == {"generator": {"use": "sgd"}}

    def test_parameters_of_another_part_may_come_before_its_name(self, path: Path) -> None:
        options = ["optimizer.generator.momentum=0.9", "optimizer.generator.use=sgd"]
        changed = Recipe.load(path).with_overrides(options)
        assert changed.tables["optimizer"] == {"generator": {"momentum": 0.9, "use": "sgd"}}

    @pytest.mark.parametrize(
        "text",
        [
            *["2024", "true", "1e5", "nan", "1979-05-27", "07:32:00", "0x10", "18446744073709551616", "9" * 5000],
            *["a,b", "@x", "100%", "*", "it's", "'open", 'say "a" # b', "a = b", "[draft", "{x}", "two\nlines", "é"],
            *[r"C:\Users\me\data", r"\\server\share", "~/my data/raw", "s3://bucket/x?y=1&z", ""],
        ],
    )
    def test_for_a_key_of_text_the_right_side_is_taken_as_it_is(self, registry: Registry, text: str) -> None:
        recipe = Recipe.load("mnist_mlp", registry).with_overrides([f"data.root={text}", f"run.device={text}"])
        resolved = resolve(recipe, registry)
        assert (resolved.recipe.tables["data"]["root"], resolved.settings.device) == (text, text)
        assert Recipe.parse(resolved.to_toml()) == resolved.recipe

    def test_one_long_value_does_not_widen_the_other_lines(self, registry: Registry) -> None:
        recipe = Recipe.load("mnist_mlp", registry).with_overrides([f"run.device={'x' * 5000}"])
        lines = resolve(recipe, registry).to_toml().splitlines()
        assert sum(len(line) > 200 for line in lines) == 1

    @pytest.mark.parametrize(
        ("right", "text"), [('"2024"', "2024"), ("'true'", "true"), ('"a\\tb"', "a\tb"), ("''", "")]
    )
    def test_a_quoted_string_is_what_stands_in_the_quotes(self, registry: Registry, right: str, text: str) -> None:
        recipe = Recipe.load("mnist_mlp", registry).with_overrides([f"data.root={right}"])
        assert resolve(recipe, registry).recipe.tables["data"]["root"] == text

    @pytest.mark.parametrize(
        ("option", "complaint"),
        [
            ("data.root=[1, 2]", "data.root must be a str, not [1, 2]"),
            ("data.root={ a = 1 }", "data.root must be a str, not {'a': 1}"),
            ("data={ root = 2024 }", "data.root must be a str, not 2024"),
            ("data.split=2024", "data.split must be 'train' or 'test', not 2024"),
            ("data.split=tests", "data.split must be 'train' or 'test', not 'tests'"),
            ("noise.z_dim=", "noise.z_dim must be an int >= 1, not ''"),
            ("noise.z_dim='3'", "noise.z_dim must be an int >= 1, not '3'"),
            ("noise.z_dim=18446744073709551616", "noise.z_dim must be an int >= 1, not '18446744073709551616'"),
            ("step.reuse_fakes=True", "step.reuse_fakes must be a bool, not 'True'"),
            ("optimizer.generator.betas=[0.5,", "optimizer.generator.betas must be a list of 2: float >= 0 and < 1, "
             "float >= 0 and < 1, not '[0.5,'"),
        ],
    )  # fmt: skip
    def test_what_does_not_fit_the_type_of_its_key_is_an_error(
        self, registry: Registry, option: str, complaint: str
    ) -> None:
        with pytest.raises(RecipeError) as caught:
            resolve(Recipe.load("mnist_mlp", registry).with_overrides([option]), registry)
        assert str(caught.value).startswith(f"--set {option}: {complaint}\n  see: ganfw parts ")
        assert len(str(caught.value).splitlines()) == 2

    def test_a_table_does_not_take_the_text_of_an_option_for_a_key_inside_it(self, registry: Registry) -> None:
        recipe = Recipe.load("mnist_mlp", registry).with_overrides(["data.root={}", "data.root.x=2024"])
        with pytest.raises(RecipeError) as caught:
            resolve(recipe, registry)
        assert str(caught.value) == (
            "--set data.root.x=2024: data.root must be a str, not {'x': 2024}\n  see: ganfw parts data mnist"
        )

    def test_a_recipe_that_is_not_resolved_has_the_values_of_toml(self, path: Path) -> None:
        changed = Recipe.load(path).with_overrides(["run.seed=2024", "run.device=true", "run.note=a b"])
        assert changed == Recipe.parse(changed.to_toml())
        assert changed.tables["run"] == {"seed": 2024, "device": True, "note": "a b"}

    def test_an_option_of_another_form_is_an_error(self, path: Path) -> None:
        with pytest.raises(RecipeError) as caught:
            Recipe.load(path).with_overrides(["seed"])
        assert str(caught.value) == ("--set seed: write it as table.key=value: --set generator.hidden_dim=256")


class TestWriting:
    def test_values_come_before_tables_and_tables_in_the_order_of_the_work(self) -> None:
        recipe = Recipe(
            callbacks={"samples": {"use": "sample_grid", "every_steps": 5}},
            optimizer={"generator": {"use": "adam", "betas": [0.5, 0.9]}},
            loss={"use": "bce"},
            extra={},
            run={"seed": 0, "device": "cpu"},
            format=1,
        )
        assert recipe.to_toml() == (
            "format = 1\n"
            "\n[run]\nseed = 0\n" + 'device = "cpu"\n'
            '\n[loss]\nuse = "bce"\n'
            '\n[optimizer.generator]\nuse = "adam"\nbetas = [0.5, 0.9]\n'
            '\n[callbacks.samples]\nuse = "sample_grid"\nevery_steps = 5\n'
            "\n[extra]\n"
        )

    def test_comments_stand_in_a_column(self) -> None:
        comments = {("run", "seed"): "recipe.toml:3", ("run", "batch_size"): "default", ("gone",): "not used"}
        text = Recipe(format=1, run={"seed": 0, "batch_size": 128, "epochs": 1}).to_toml(comments=comments)
        assert text == (
            "format = 1\n\n[run]\nseed = 0          # recipe.toml:3\nbatch_size = 128  # default\nepochs = 1\n"
        )

    def test_a_comment_that_no_comment_can_hold_is_made_one(self) -> None:
        recipe = Recipe(a="x")
        text = recipe.to_toml(comments={("a",): "--set a='''\nx\x00\x7f'''"})
        assert text == "a = \"x\"  # --set a=''' x  '''\n"
        assert Recipe.parse(text) == recipe

    def test_tables_in_arrays_are_written_inline(self) -> None:
        recipe = Recipe(stages=[{"size": 4, "a b": [{}]}, {"size": 8}], run={"list": [[{"c": {"d": 1}}], "x"]})
        text = recipe.to_toml()
        assert text == ('stages = [{size = 4, "a b" = [{}]}, {size = 8}]\n\n[run]\nlist = [[{c = {d = 1}}], "x"]\n')
        assert Recipe.parse(text) == recipe

    def test_tuples_are_written_as_arrays(self) -> None:
        assert Recipe(a=(1, (2.5, "x"))).to_toml() == 'a = [1, [2.5, "x"]]\n'

    def test_keys_are_quoted_where_toml_needs_it(self) -> None:
        recipe = Recipe(run={"": 1, "a.b": {"c\n": 'd"'}})
        assert recipe.to_toml() == '[run]\n"" = 1\n\n[run."a.b"]\n"c\\n" = "d\\""\n'

    def test_what_a_terminal_would_obey_is_written_as_escapes(self) -> None:
        recipe = Recipe(a={"\x9b": "C:\\u \x9b2J\u202e\U000e0001 \xe9"})
        assert recipe.to_toml() == '[a]\n"\\u009b" = "C:\\\\u \\u009b2J\\u202e\\U000e0001 \xe9"\n'
        assert Recipe.parse(blank(recipe.to_toml())) == recipe

    def test_an_empty_recipe_is_an_empty_text(self) -> None:
        assert Recipe().to_toml() == ""
        assert Recipe.parse("") == Recipe()

    @pytest.mark.parametrize(
        "value", [math.inf, -math.inf, -0.0, 1e-5, 1e300, 5e-324, True, -(2**63), "\x7f\x9b\u2028\U000e0001"]
    )
    def test_odd_values_come_back_as_they_were(self, value: object) -> None:
        back = Recipe.parse(Recipe(a=value).to_toml()).tables["a"]
        assert (type(back), repr(back)) == (type(value), repr(value))


zones = st.none() | st.just(UTC) | st.integers(-720, 720).map(lambda minutes: timezone(timedelta(minutes=minutes)))
scalars = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(),
    st.text(alphabet="'\"\\\n\r\t\b\x00\x1f\x7f\x85\u2028 #[]{}=,."),
    st.dates(),
    st.times(),
    st.datetimes(timezones=zones),
)
keys = st.text(max_size=8) | st.text(alphabet="'\"\\\n\r\x00\x7f #[]=.", max_size=4)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=10,
)
tables = st.dictionaries(keys.filter(lambda key: key != "extends"), values, max_size=5)


def typed(value: Any) -> Any:
    """Return a value that equals another only where all types are the same, too."""
    if isinstance(value, dict):
        return {key: typed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [typed(inner) for inner in value]
    return type(value), repr(value) if isinstance(value, float) else value


@given(tables, st.text())
def test_loading_what_was_written_gives_an_equal_recipe(given: dict[str, Any], comment: str) -> None:
    layers = Layers().with_layer(given, lambda _: Origin("test"))
    recipe = Recipe.of_layers(layers, "test")
    for comments in ({}, dict.fromkeys(layers.origins, comment)):
        loaded = Recipe.parse(recipe.to_toml(comments=comments))
        assert loaded == recipe
        assert blank(recipe.to_toml(comments=comments)) == recipe.to_toml(comments=comments)
        assert typed(loaded.tables) == typed(recipe.tables)
    assert tomllib.loads(recipe.to_toml()) == given
