"""`ganfw check` and `ganfw show`."""

from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner

from ganfw import Recipe, Registry, resolve
from ganfw.cli import main


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_check_says_which_recipes_are_right_and_tells_all_that_is_wrong() -> None:
    Path("one.toml").write_text('extends = "mnist_mlp"\n[loss]\nuse = "bec"\n')
    Path("two.toml").write_text("format = \n")
    result = CliRunner().invoke(main, ["check", "mnist_mlp", "one.toml", "two.toml"])

    assert result.exit_code == 2
    assert result.stdout == "mnist_mlp: right\n"
    assert result.stderr == (
        "Error: one.toml:3: no loss is named 'bec'\n"
        '    use = "bec"\n'
        "  did you mean 'bce'?\n"
        "  see: ganfw parts loss\n"
        "\n"
        "two.toml:1: not valid TOML: invalid value\n"
        "    format =\n"
    )


NOT_LOOKED_AT = "not checked: the data, and whether parts can be built and fit; use --build for this\n"


def test_check_says_what_it_did_not_look_at() -> None:
    result = CliRunner().invoke(main, ["check", "mnist_mlp"])

    assert (result.exit_code, result.stdout, result.stderr) == (0, "mnist_mlp: right\n", NOT_LOOKED_AT)


def test_check_says_that_a_recipe_without_an_embedding_cannot_be_evaluated() -> None:
    result = CliRunner().invoke(main, ["check", "mnist_mlp", "--set", "embedding.enabled=false"])

    assert result.exit_code == 0
    assert result.stderr == (
        "  it cannot be evaluated until an [embedding] is chosen: ganfw parts embedding\n" + NOT_LOOKED_AT
    )


def test_check_build_finds_what_fails_at_the_start_and_writes_nothing(tmp_path: Path) -> None:
    right = CliRunner().invoke(main, ["check", "--build", "mnist_mlp", "--set", "data.split=test"])
    wrong = CliRunner().invoke(main, ["check", "--build", "mnist_mlp", "--set", "data.root=nowhere"])

    assert (right.exit_code, right.stdout, right.stderr) == (0, "mnist_mlp: right\n", "")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert wrong.stderr == (
        f"Error: data 'mnist' (ganfw {version('ganfw')}): nowhere/MNIST/raw/train-images-idx3-ubyte: no such file, "
        "zipped or not; data.root must hold MNIST/raw/train-images-idx3-ubyte\n"
    )
    assert not list(tmp_path.iterdir())


def test_show_prints_toml_that_means_the_same(registry: Registry) -> None:
    result = CliRunner().invoke(main, ["show", "mnist_mlp", "--set", "generator.hidden_dim=64"])

    assert result.exit_code == 0
    recipe = Recipe.load("mnist_mlp", registry).with_overrides(["generator.hidden_dim=64"])
    assert Recipe.parse(result.stdout) == resolve(recipe, registry).recipe


def test_show_says_where_each_value_comes_from() -> None:
    Path("mine.toml").write_text('extends = "mnist_mlp"\n\n[noise]\nuse = "truncated"\nz_dim = 8\n')

    lines = CliRunner().invoke(main, ["show", "mine.toml", "--set", "run.epochs=2"]).stdout.splitlines()

    assert "epochs = 2              # --set run.epochs=2" in lines
    start = lines.index("[noise]")
    assert lines[start : start + 4] == [
        "[noise]",
        'use = "truncated"  # mine.toml:4, from ganfw 0.2.0',
        "z_dim = 8          # mine.toml:5",
        "threshold = 2.0    # default",
    ]


def test_help_lists_the_commands_in_the_order_of_work() -> None:
    result = CliRunner().invoke(main, ["--help"])

    assert result.exit_code == 0
    commands = [line.split()[0] for line in result.stdout.partition("Commands:\n")[2].splitlines()]
    assert commands == [
        *(
            "run",
            "resume",
            "sweep",
            "sample",
            "interpolate",
            "invert",
            "play",
            "evaluate",
            "report",
            "export",
            "reference",
            "train-evaluator",
            "runs",
            "table",
        ),
        *("check", "show", "verify", "parts", "plugins", "recipes", "new"),
    ]
