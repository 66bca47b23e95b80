import copy
import os
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganfw import Part, PartError, RecipeError, Registry
from ganfw.plugins.registry import Plugin
from ganfw.recipe.layers import MAX_BYTES, MAX_DEPTH, Layers, parse_overrides, parse_recipe, read_recipe
from ganfw.recipe.origins import KeyPath, Origin

NO_PLUGINS = Registry(())


def lay(*layers: dict[str, Any]) -> Layers:
    """Lay tables over each other; the origin of a key is the number of its layer."""
    merged = Layers()
    for number, tables in enumerate(layers):
        merged = merged.with_layer(tables, lambda _, number=number: Origin(str(number)))
    return merged


class TestMerging:
    def test_tables_merge_and_all_else_is_replaced(self) -> None:
        base = {"run": {"seed": 1, "list": [1, 2]}, "data": {"use": "mnist"}, "format": 1}
        merged = lay(base, {"run": {"list": [3], "epochs": 2}, "format": 2})
        assert merged.tables == {
            "run": {"seed": 1, "list": [3], "epochs": 2},
            "data": {"use": "mnist"},
            "format": 2,
        }

    def test_each_key_is_from_the_last_layer_that_wrote_it(self) -> None:
        merged = lay({"run": {"seed": 1, "epochs": 1}}, {"run": {"epochs": 2}})
        assert merged.origins == {
            ("run",): Origin("1"),
            ("run", "seed"): Origin("0"),
            ("run", "epochs"): Origin("1"),
        }

    def test_another_part_drops_the_parameters_of_the_old_one(self) -> None:
        base = {"loss": {"use": "wgan", "weight": 10, "inner": {"x": 1}}}
        assert lay(base, {"loss": {"use": "bce", "margin": 1}}).tables == {"loss": {"use": "bce", "margin": 1}}

    def test_another_part_in_a_table_of_tables_drops_only_its_own_parameters(self) -> None:
        base = {"optimizer": {"generator": {"use": "adam", "lr": 1}, "discriminator": {"use": "adam", "lr": 2}}}
        assert lay(base, {"optimizer": {"generator": {"use": "sgd"}}}).tables == {
            "optimizer": {"generator": {"use": "sgd"}, "discriminator": {"use": "adam", "lr": 2}}
        }

    def test_another_part_keeps_the_keys_of_its_table(self) -> None:
        base = {"optimizer": {"generator": {"use": "adam", "lr": 1, "networks": ["a", "b"], "clip_norm": 1.0}}}
        assert lay(base, {"optimizer": {"generator": {"use": "sgd"}}}).tables == {
            "optimizer": {"generator": {"use": "sgd", "networks": ["a", "b"], "clip_norm": 1.0}}
        }

    def test_the_same_part_keeps_its_parameters(self) -> None:
        base = {"loss": {"use": "wgan", "weight": 10}}
        assert lay(base, {"loss": {"use": "wgan", "margin": 1}}).tables == {
            "loss": {"use": "wgan", "weight": 10, "margin": 1}
        }

    def test_a_value_replaces_a_table_and_a_table_replaces_a_value(self) -> None:
        assert lay({"run": {"seed": 1}}, {"run": 5}).tables == {"run": 5}
        assert lay({"run": 5}, {"run": {"seed": 1}}).tables == {"run": {"seed": 1}}

    def test_an_empty_table_changes_nothing_but_is_there(self) -> None:
        assert lay({"run": {"seed": 1}}, {"run": {}, "data": {}}).tables == {"run": {"seed": 1}, "data": {}}

    def test_layers_share_nothing_with_what_they_were_made_of(self) -> None:
        first, second = {"run": {"list": [1]}}, {"data": {"list": [[2]]}}
        merged = lay(first, second)
        merged.tables["run"]["list"].append(9)
        merged.tables["data"]["list"][0].append(9)
        assert (first, second) == ({"run": {"list": [1]}}, {"data": {"list": [[2]]}})


scalars = st.integers(0, 3) | st.sampled_from("ab")
tables = st.recursive(
    st.dictionaries(st.sampled_from(["use", "a", "b"]), scalars, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from(["c", "d"]), inner | scalars | st.lists(scalars), max_size=3),
    max_leaves=6,
)


def leaves(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    else:
        yield path, value


@given(tables, tables)
def test_all_that_the_upper_layer_says_holds(base: dict[str, Any], upper: dict[str, Any]) -> None:
    before = copy.deepcopy((base, upper))
    merged = lay(base, upper)
    found = dict(leaves(merged.tables))
    for path, value in leaves(upper):
        assert found[path] == value
        assert merged.origins[path] == Origin("1")
    for path, value in found.items():
        assert (path, value) in [*leaves(base), *leaves(upper)]
        assert path in merged.origins
    assert (base, upper) == before


@given(tables, tables)
def test_laying_a_layer_twice_is_laying_it_once(base: dict[str, Any], upper: dict[str, Any]) -> None:
    assert lay(base, upper, upper).tables == lay(base, upper).tables


class Folder:
    """A folder of recipe files."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str) -> str:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    def read(self, source: str, registry: Registry = NO_PLUGINS) -> Layers:
        return read_recipe(source, registry, self.path)

    def refusal(self, source: str, registry: Registry = NO_PLUGINS) -> str:
        """Return the message about a recipe that cannot be read."""
        with pytest.raises(RecipeError) as caught:
            self.read(source, registry)
        return str(caught.value).replace(str(self.path), "FOLDER")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


class TestFiles:
    def test_a_path_starts_from_the_folder(self, folder: Folder) -> None:
        path = folder.write("a/b.toml", "[run]\nseed = 3\n")
        for source in ["a/b.toml", path, "a/../a/./b.toml"]:
            layers = folder.read(source)
            assert layers.tables == {"run": {"seed": 3}}
            assert layers.origins[("run", "seed")] == Origin(f"{path}:2", "seed = 3")

    def test_a_file_needs_no_suffix(self, folder: Folder) -> None:
        folder.write("recipe", "format = 1")
        assert folder.read("recipe").tables == {"format": 1}

    def test_lines_may_end_as_on_windows_and_a_byte_order_mark_is_passed_over(self, folder: Folder) -> None:
        (folder.path / "a.toml").write_bytes(b'\xef\xbb\xbfformat = 1\r\n[run]\r\nnote = """a\r\nb"""\r\n')
        layers = folder.read("a.toml")
        assert layers.tables == {"format": 1, "run": {"note": "a\nb"}}
        assert layers.origins[("run", "note")] == Origin(f"{folder.path}/a.toml:3", 'note = """a')

    def test_a_missing_file_is_an_error(self, folder: Folder) -> None:
        assert folder.refusal("none.toml") == "FOLDER/none.toml: no such recipe; see: ganfw recipes"
        assert folder.refusal("no/such") == "FOLDER/no/such: no such recipe; see: ganfw recipes"

    def test_a_folder_is_no_recipe(self, folder: Folder) -> None:
        (folder.path / "a.toml").mkdir()
        assert folder.refusal("a.toml") == "FOLDER/a.toml: cannot be read: Is a directory"

    @pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="root may read every file")
    def test_a_file_that_may_not_be_read_is_an_error(self, folder: Folder) -> None:
        Path(folder.write("a.toml", "")).chmod(0)
        assert folder.refusal("a.toml") == "FOLDER/a.toml: cannot be read: Permission denied"

    def test_a_path_that_no_file_can_have_is_an_error(self, folder: Folder) -> None:
        assert folder.refusal("a\0.toml") == "FOLDER/a\0.toml: cannot be read: embedded null byte"
        assert folder.refusal("x" * 999 + ".toml") == f"FOLDER/{'x' * 999}.toml: cannot be read: File name too long"

    def test_a_file_that_is_too_large_is_an_error(self, folder: Folder) -> None:
        folder.write("a.toml", "#" * MAX_BYTES)
        assert folder.read("a.toml").tables == {}
        folder.write("a.toml", "#" * (MAX_BYTES + 1))
        assert folder.refusal("a.toml") == "FOLDER/a.toml: too large for a recipe, which must be at most 65536 bytes"

    def test_a_file_that_never_ends_is_too_large(self, folder: Folder) -> None:
        assert folder.refusal("/dev/zero") == "/dev/zero: too large for a recipe, which must be at most 65536 bytes"

    def test_a_file_that_is_no_utf_8_is_an_error_with_its_line(self, folder: Folder) -> None:
        (folder.path / "a.toml").write_bytes(b"format = 1\n# caf\xe9\n")
        assert folder.refusal("a.toml") == "FOLDER/a.toml:2: no UTF-8 text, which TOML must be"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("a = 1\n[run\nb = 1\n", "2: not valid TOML: expected ']' at the end of a table declaration\n    [run"),
            ("a = 1\na = 2\n", "2: not valid TOML: cannot overwrite a value\n    a = 2"),
            ("a = 1\n[a]\n", "2: not valid TOML: cannot overwrite a value\n    [a]"),
            ("\n\nlr = \n", "3: not valid TOML: invalid value\n    lr ="),
            ('a = "open', '1: not valid TOML: unterminated string\n    a = "open'),
            ('\na = """open\n\n\n', '2: not valid TOML: unterminated string\n    a = """open'),
            ("a = [1,\n2\n\n", "2: not valid TOML: unclosed array\n    2"),
            ("a = '\x1b[2J'\n", r"1: not valid TOML: found invalid character '\x1b'" + "\n    a = ' [2J'"),
            (
                "seed = 018\n",
                "1: not valid TOML: expected newline or end of document after a statement\n    seed = 018",
            ),
            (
                "[run]\nseed = 12345678901234567890\n",
                "2: not valid TOML: an integer of more than 64 bits\n    seed = 12345678901234567890",
            ),
            (
                "[run]\nseeds = [\n1,\n-9223372036854775809]\n",
                "2: not valid TOML: an integer of more than 64 bits\n    seeds = [",
            ),
            ("a = [[0o7777777777777777777777]]", "1: not valid TOML: an integer of more than 64 bits\n    "
             "a = [[0o7777777777777777777777]]"),
        ],
    )  # fmt: skip
    def test_what_is_no_toml_is_an_error_with_its_line(self, folder: Folder, text: str, message: str) -> None:
        folder.write("a.toml", text)
        assert folder.refusal("a.toml") == f"FOLDER/a.toml:{message}"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (f"a = {'9' * 5000}", "an integer of more than 64 bits"),
            (f"a = {'[' * 40}{']' * 40}", "tables or arrays nested more than 32 deep"),
            (f"a = {'[' * 5000}{']' * 5000}", "tables or arrays nested more than 32 deep"),
            (f"a = {'{b = ' * 40}1{'}' * 40}", "tables or arrays nested more than 32 deep"),
            (f"a{'.a' * 1000} = 1", "tables or arrays nested more than 32 deep"),
            (f"[a{'.a' * 1000}]", "tables or arrays nested more than 32 deep"),
            ("a." * 32_700 + "a = 1", "tables or arrays nested more than 32 deep"),
            (r'"\"" . ' * 8_000 + "a = 1", "tables or arrays nested more than 32 deep"),
        ],
    )
    def test_toml_beyond_all_measure_is_an_error(self, folder: Folder, text: str, message: str) -> None:
        folder.write("a.toml", text)
        assert folder.refusal("a.toml") == f"FOLDER/a.toml: not valid TOML: {message}"

    @pytest.mark.parametrize("quotes", ["'", '"', "'''", '"""', "# ' "])
    def test_dots_in_strings_and_comments_are_no_tables(self, folder: Folder, quotes: str) -> None:
        text = f"a = 1 # '\nb = [0, {quotes}{'a.' * 99}{quotes}\n]"
        folder.write("a.toml", text)
        assert folder.read("a.toml").tables == tomllib.loads(text)

    def test_tables_may_be_nested_as_deep_as_the_limit(self, folder: Folder) -> None:
        text = f"a{'.a' * (MAX_DEPTH - 1)} = 1"
        folder.write("a.toml", text)
        assert folder.read("a.toml").tables == tomllib.loads(text)

    def test_the_integers_of_toml_are_taken_to_the_last(self, folder: Folder) -> None:
        folder.write("a.toml", f"a = {2**63 - 1}\nb = {-(2**63)}")
        assert folder.read("a.toml").tables == {"a": 2**63 - 1, "b": -(2**63)}


class TestExtends:
    def test_a_path_is_relative_to_the_file_that_names_it(self, folder: Folder) -> None:
        base = folder.write("base/base.toml", "[run]\nseed = 1\nepochs = 1\n")
        child = folder.write("child/child.toml", 'extends = "../base/base.toml"\n[run]\nepochs = 2\n')
        layers = folder.read("child/child.toml")
        assert layers.tables == {"run": {"seed": 1, "epochs": 2}}
        assert layers.origins[("run", "seed")] == Origin(f"{base}:2", "seed = 1")
        assert layers.origins[("run", "epochs")] == Origin(f"{child}:3", "epochs = 2")

    def test_a_file_without_suffix_is_looked_for_beside_the_file_that_names_it(self, folder: Folder) -> None:
        folder.write("deep/base", "format = 1")
        folder.write("deep/child.toml", 'extends = "base"')
        assert folder.read("deep/child.toml").tables == {"format": 1}

    def test_a_base_may_extend_a_base(self, folder: Folder) -> None:
        folder.write("a.toml", "x = 1\ny = 1\nz = 1")
        folder.write("b.toml", 'extends = "a.toml"\ny = 2\nz = 2')
        folder.write("c.toml", 'extends = "./b.toml"\nz = 3')
        assert folder.read("c.toml").tables == {"x": 1, "y": 2, "z": 3}

    def test_a_base_must_be_an_ordinary_file(self, folder: Folder) -> None:
        os.mkfifo(folder.path / "pipe.toml")
        for base in ("pipe.toml", "/dev/zero", "../"):
            folder.write("a.toml", f'extends = "{base}"')
            path = os.path.normpath(folder.path / base).replace(str(folder.path), "FOLDER")
            assert (
                folder.refusal("a.toml")
                == f"{path}: not an ordinary file; name a .toml file\n  extended at FOLDER/a.toml:1"
            )

    def test_a_base_of_a_name_that_no_file_can_have_is_an_error(self, folder: Folder) -> None:
        folder.write("a.toml", f'extends = "{"x" * 999}.toml"')
        assert folder.refusal("a.toml") == (
            f"FOLDER/{'x' * 999}.toml: cannot be read: File name too long\n  extended at FOLDER/a.toml:1"
        )

    def test_a_circle_is_an_error_that_names_the_files(self, folder: Folder) -> None:
        folder.write("a.toml", 'format = 1\nextends = "b.toml"')
        folder.write("b.toml", 'extends = "./deep/../a.toml"')
        assert folder.refusal("a.toml") == (
            "recipes extend each other in a circle; remove one extends: "
            "FOLDER/a.toml -> FOLDER/b.toml -> FOLDER/a.toml\n"
            "  extended at FOLDER/b.toml:1\n"
            "  extended at FOLDER/a.toml:2"
        )

    def test_a_recipe_that_extends_itself_is_a_circle(self, folder: Folder) -> None:
        folder.write("a.toml", 'extends = "a.toml"')
        assert folder.refusal("a.toml") == (
            "recipes extend each other in a circle; remove one extends: "
            "FOLDER/a.toml -> FOLDER/a.toml\n  extended at FOLDER/a.toml:1"
        )

    def test_a_circle_through_a_link_that_leads_back_is_an_error(self, folder: Folder) -> None:
        folder.write("a.toml", 'extends = "link/a.toml"')
        (folder.path / "link").symlink_to(folder.path)
        assert ": cannot be read: Too many levels of symbolic links\n" in folder.refusal("a.toml")

    def test_a_missing_base_is_an_error_that_says_who_extends_it(self, folder: Folder) -> None:
        folder.write("a.toml", 'format = 1\nextends = "none.toml"')
        assert folder.refusal("a.toml") == (
            "FOLDER/none.toml: no such recipe; see: ganfw recipes\n  extended at FOLDER/a.toml:2"
        )

    def test_the_name_of_a_base_is_not_inherited(self, folder: Folder) -> None:
        folder.write("base.toml", 'name = "first"\nformat = 1')
        folder.write("a.toml", 'extends = "base.toml"')
        folder.write("b.toml", 'extends = "base.toml"\nname = "second"')
        assert folder.read("a.toml").tables == {"format": 1}
        assert folder.read("b.toml").tables == {"format": 1, "name": "second"}

    def test_a_broken_base_is_an_error_with_its_own_line(self, folder: Folder) -> None:
        folder.write("base.toml", "\nlr =")
        folder.write("a.toml", 'extends = "base.toml"')
        assert folder.refusal("a.toml") == (
            "FOLDER/base.toml:2: not valid TOML: invalid value\n    lr =\n  extended at FOLDER/a.toml:1"
        )

    @pytest.mark.parametrize("value", ["1", '["a.toml"]', '{ path = "a.toml" }'])
    def test_extends_must_be_a_string(self, folder: Folder, value: str) -> None:
        folder.write("a.toml", f"\nextends = {value}")
        assert folder.refusal("a.toml") == (
            f"FOLDER/a.toml:2: extends must be a string, a path or a recipe's name\n    extends = {value}"
        )

    def test_a_base_that_is_not_registered_is_an_error(self, folder: Folder) -> None:
        folder.write("a.toml", 'format = 1\nextends = "zzz"')
        with pytest.raises(PartError) as caught:
            folder.read("a.toml")
        assert str(caught.value) == (
            f"no recipe is named 'zzz'; see: ganfw recipes\n  extended at {folder.path}/a.toml:2"
        )


@pytest.fixture
def package(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """Return a registry of recipes that are files of an installed package."""
    folder.write("recipes_x/__init__.py", "")
    folder.write("recipes_x/base.toml", "[run]\nseed = 1\nepochs = 1\n")
    folder.write("recipes_x/child.toml", 'extends = "base.toml"\n[run]\nepochs = 2\n')
    folder.write("recipes_x/circle.toml", 'extends = "circle"\n')
    folder.write("recipes_x/bad.toml", "\nseed =\n")
    folder.write("recipes_x/latin.toml", "")
    (folder.path / "recipes_x/latin.toml").write_bytes(b"\n\n# \xe9")
    folder.write("broken_x/__init__.py", "raise SystemExit('bye')")
    targets = {
        **{name: f"recipes_x:{name}.toml" for name in ("base", "child", "circle", "bad", "latin", "none")},
        "homeless": "no_such_package:base.toml",
        "broken": "broken_x:base.toml",
    }
    parts = tuple(Part(kind="recipe", name=name, target=target) for name, target in targets.items())
    monkeypatch.syspath_prepend(folder.path)
    yield Registry((Plugin("ganfw-x", "1.0", "recipes_x", parts),))
    sys.modules.pop("recipes_x", None)


class TestRegistered:
    def test_a_registered_recipe_is_read_by_its_name(self, folder: Folder, package: Registry) -> None:
        for source in ("base", "ganfw-x:base"):
            layers = folder.read(source, package)
            assert layers.tables == {"run": {"seed": 1, "epochs": 1}}
            assert layers.origins[("run", "seed")] == Origin("ganfw-x:base:2", "seed = 1")

    def test_a_registered_recipe_may_extend_the_file_beside_it(self, folder: Folder, package: Registry) -> None:
        assert folder.read("child", package).tables == {"run": {"seed": 1, "epochs": 2}}

    def test_a_file_may_extend_a_registered_recipe(self, folder: Folder, package: Registry) -> None:
        folder.write("mine.toml", 'extends = "ganfw-x:child"\n[run]\nseed = 7\n')
        assert folder.read("mine.toml", package).tables == {"run": {"seed": 7, "epochs": 2}}

    def test_names_are_looked_up_among_all_plugins_where_no_registry_is_given(self, folder: Folder) -> None:
        layers = read_recipe("mnist_mlp", None, folder.path)
        assert layers.tables["format"] == 1
        assert layers.origins[("format",)].text == "format = 1"

    def test_a_file_goes_before_a_registered_recipe_of_its_name(self, folder: Folder, package: Registry) -> None:
        folder.write("base", "format = 1")
        assert folder.read("base", package).tables == {"format": 1}

    def test_a_name_that_is_too_long_for_a_file_is_no_recipe(self, folder: Folder, package: Registry) -> None:
        with pytest.raises(PartError) as caught:
            folder.read("x" * 999, package)
        assert str(caught.value) == f"no recipe is named '{'x' * 56}...; see: ganfw recipes"

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("bad", "ganfw-x:bad:2: not valid TOML: invalid value\n    seed ="),
            ("latin", "ganfw-x:latin:3: no UTF-8 text, which TOML must be"),
            (
                "circle",
                "recipes extend each other in a circle; remove one extends: ganfw-x:circle -> ganfw-x:circle\n"
                "  extended at ganfw-x:circle:1",
            ),
            (
                "none",
                "recipe 'none' (ganfw-x 1.0) cannot be read from 'recipes_x:none.toml': FileNotFoundError: "
                "[Errno 2] No such file or directory: 'FOLDER/recipes_x/none.toml'",
            ),
            (
                "homeless",
                "recipe 'homeless' (ganfw-x 1.0) cannot be read from 'no_such_package:base.toml': "
                "ModuleNotFoundError: No module named 'no_such_package'",
            ),
            (
                "broken",
                "recipe 'broken' (ganfw-x 1.0) cannot be read from 'broken_x:base.toml': SystemExit: bye",
            ),
        ],
    )
    def test_a_registered_recipe_that_cannot_be_read_is_an_error(
        self, folder: Folder, package: Registry, name: str, message: str
    ) -> None:
        assert folder.refusal(name, package) == message

    def test_an_interrupt_while_a_package_is_imported_is_an_interrupt(self, folder: Folder, package: Registry) -> None:
        folder.write("broken_x/__init__.py", "raise KeyboardInterrupt")
        with pytest.raises(KeyboardInterrupt):
            folder.read("broken", package)


class TestOverrides:
    @pytest.mark.parametrize(
        ("option", "tables"),
        [
            ("generator.hidden_dim=256", {"generator": {"hidden_dim": 256}}),
            ("format=1", {"format": 1}),
            ("optimizer.generator.lr=1e-5", {"optimizer": {"generator": {"lr": 1e-5}}}),
            (" a . b = true ", {"a": {"b": True}}),
            ("a.'b.c'=0", {"a": {"b.c": 0}}),
            ("a='text = text'", {"a": "text = text"}),
            ('a="b\\n"', {"a": "b\n"}),
            ("a=[1, [2]]", {"a": [1, [2]]}),
            ("a={ b = 1, c = [] }", {"a": {"b": 1, "c": []}}),
            ("a=1 # low", {"a": 1}),
            ("a=''", {"a": ""}),
            ("a=inf", {"a": float("inf")}),
        ],
    )
    def test_the_right_side_is_toml(self, option: str, tables: dict[str, Any]) -> None:
        layers = parse_overrides([option])
        assert layers.tables == tables
        assert set(layers.origins.values()) == {Origin(f"--set {option.strip()}")}

    @pytest.mark.parametrize(
        "text",
        [
            *[
                "mlp",
                "ganfw-x:wgan",
                "cuda:1",
                "./my data/raw",
                "~/x",
                "1e",
                "True",
                "a b",
                "a,b",
                "007",
                "@x",
                "100%",
                "*",
            ],
            *[
                r"C:\Users\me\data",
                r"C:\new\u0041",
                r"\\server\share",
                "it's",
                "'open",
                '"a" or "b"',
                "a = b",
                "[1",
                "é",
            ],
            *["", "a # b", "1\nb = 2", f"{'[' * 40}{']' * 40}", "9" * 5000, "18446744073709551616", f"[0x{'F' * 18}]"],
        ],
    )
    def test_a_right_side_that_is_no_toml_is_text(self, text: str) -> None:
        layers = parse_overrides([f"data.root = {text} "])
        assert layers.tables == {"data": {"root": text}}
        assert layers.origins[("data", "root")].right_side is None

    @pytest.mark.parametrize("text", ["2024", "1e5", "true", "nan", "1979-05-27", "07:32:00", "0x10", "1 # x"])
    def test_a_right_side_that_toml_reads_as_no_text_is_kept_as_it_was_written(self, text: str) -> None:
        layers = parse_overrides([f"data.root = {text} "])
        assert repr(layers.tables["data"]["root"]) == repr(tomllib.loads(f"value = {text}")["value"])
        assert layers.origins[("data", "root")].right_side == text
        assert layers.origins[("data",)].right_side is None

    @pytest.mark.parametrize("text", ['"2024"', "'true'", "[1]", "{ a = 1 }"])
    def test_quoted_text_arrays_and_tables_are_toml_alone(self, text: str) -> None:
        assert {origin.right_side for origin in parse_overrides([f"a.b={text}"]).origins.values()} == {None}

    @pytest.mark.parametrize(
        ("text", "name"), [("2024", "2024"), ("true", "true"), ("'my gan'", "my gan"), ("my gan", "my gan")]
    )
    def test_the_name_is_text_whatever_it_looks_like(self, text: str, name: str) -> None:
        assert parse_overrides([f"name={text}"]).tables == {"name": name}

    def test_bytes_that_are_no_text_are_an_error(self) -> None:
        with pytest.raises(RecipeError) as caught:
            parse_overrides([os.fsdecode(b"data.root=caf\xe9")])
        assert str(caught.value) == "--set data.root=caf : no UTF-8 text, which TOML must be"

    def test_options_are_laid_over_each_other_in_their_order(self) -> None:
        options = ["loss.use=wgan", "loss.weight=1", "loss.use=bce", "run.seed=1", "run.seed=2", "loss.margin=3"]
        layers = parse_overrides(options)
        assert layers.tables == {"loss": {"use": "bce", "margin": 3}, "run": {"seed": 2}}
        assert layers.origins[("run", "seed")] == Origin("--set run.seed=2")

    def test_a_long_option_is_shown_shortened_and_on_one_line(self) -> None:
        layers = parse_overrides(["a='''\n" + "x" * 999 + "'''"])
        assert layers.origins[("a",)] == Origin(f"--set a=''' {'x' * 193}…")

    @pytest.mark.parametrize(
        "option", ["", "=", "=1", "hidden_dim", "a.=1", ".a=1", "a b=1", "[a]=1", "# a=1", "a\nb=1", "a.b", "é=1"]
    )
    def test_an_option_of_another_form_is_an_error(self, option: str) -> None:
        with pytest.raises(RecipeError) as caught:
            parse_overrides([option])
        shown = option.replace("\n", " ")
        assert str(caught.value) == (f"--set {shown}: write it as table.key=value: --set generator.hidden_dim=256")

    def test_a_key_nested_too_deeply_is_an_error(self) -> None:
        with pytest.raises(RecipeError) as caught:
            parse_overrides(["a" + ".a" * 50 + "=1"])
        assert str(caught.value) == (
            f"--set a{'.a' * 50}=1: write it as table.key=value: --set generator.hidden_dim=256"
        )


toml_like = st.text(alphabet="ab.=[]{}#'\"\\\n 0x9-_,:")


@given(st.lists(st.text() | toml_like | st.builds("{}={}".format, toml_like, st.text() | toml_like), max_size=3))
def test_options_of_any_text_are_read_or_refused(options: list[str]) -> None:
    try:
        message = f"--set {len(parse_overrides(options).tables)} tables"
    except RecipeError as error:
        message = str(error)
    assert message.startswith("--set ")
    assert message.isprintable()


@given(st.text() | toml_like, st.text(max_size=3))
def test_any_text_is_a_recipe_or_refused(text: str, file: str) -> None:
    message = ""
    try:
        tables = parse_recipe(text.encode(), file, NO_PLUGINS, Path("no_such_folder")).tables
    except (RecipeError, PartError) as error:
        message = str(error)
    if message:
        assert message.startswith((f"{file}:", "no recipe is named", "no_such_folder/"))
    else:
        assert tables == tomllib.loads(text)
