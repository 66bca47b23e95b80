"""`ganfw new plugin` and `ganfw new recipe`: what they write works, and they overwrite nothing."""

import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import ganfw
from ganfw import Recipe, Registry
from ganfw.cli import main
from ganfw.scaffold.plugin import KINDS


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def new(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["new", *arguments])


def test_plugin_writes_a_package_and_says_what_to_do_next() -> None:
    result = new("plugin", "ganfw-soft-hinge")

    assert (result.exit_code, result.stdout) == (0, "ganfw-soft-hinge\n")
    assert result.stderr == (
        "\n"
        "A package that offers loss 'soft_hinge'. Next:\n"
        "\n"
        "  cd ganfw-soft-hinge\n"
        "  python -m pip install -e '.[test]'\n"
        "  python -m pytest\n"
        "  ganfw parts loss soft_hinge\n"
        "  ganfw run mnist_mlp --set loss.use=soft_hinge --set run.epochs=1\n"
        "\n"
        "Then make ganfw_soft_hinge/soft_hinge.py your own; its README.md says how to publish it.\n"
    )
    written = [path.relative_to("ganfw-soft-hinge") for path in Path("ganfw-soft-hinge").rglob("*") if path.is_file()]
    assert sorted(map(str, written)) == [
        ".github/workflows/tests.yml",
        ".gitignore",
        "LICENSE",
        "README.md",
        "ganfw_soft_hinge/__init__.py",
        "ganfw_soft_hinge/py.typed",
        "ganfw_soft_hinge/soft_hinge.py",
        "pyproject.toml",
        "tests/test_contract.py",
        "tests/test_soft_hinge.py",
    ]
    assert list(Path().iterdir()) == [Path("ganfw-soft-hinge")]


def test_package_depends_on_the_versions_of_ganfw_that_it_was_made_for() -> None:
    first, second, *_ = map(int, version("ganfw").split("."))
    new("plugin", "ganfw-x")
    project = tomllib.loads(Path("ganfw-x/pyproject.toml").read_text())["project"]

    assert project["dependencies"] == [
        "annotated-types>=0.6",
        f"ganfw>={first}.{second},<{first}.{second + 1}",
        "torch",
    ]
    assert project["entry-points"] == {"ganfw": {"x": "ganfw_x"}}


def test_there_is_a_template_for_every_kind_that_a_recipe_has_a_table_of() -> None:
    assert sorted([*KINDS, "launcher", "network", "recipe"]) == sorted(ganfw.plugins.part.KINDS)
    assert len(KINDS) == 15
    for kind in KINDS:
        assert new("plugin", f"ganfw-my-{kind}", "--kind", kind).exit_code == 0
        assert Path(f"ganfw-my-{kind}/ganfw_my_{kind}/my_{kind}.py").is_file()


def refusal(*arguments: str) -> str:
    result = new(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    return result.stderr.removeprefix("Error: ").removesuffix("\n")


def test_names_that_are_none_are_refused() -> None:
    assert refusal("plugin", "soft hinge") == (
        "'soft hinge' is not a name for a package: write letters, digits and '-', such as ganfw-soft-hinge"
    )
    assert refusal("plugin", "../x") == (
        "'../x' is not a name for a package: write letters, digits and '-', such as ganfw-soft-hinge"
    )
    assert refusal("plugin", "3d") == ("'3d' would be imported as '3d', which is not a name in Python: write ganfw-3d")
    assert refusal("plugin", "torch") == (
        "a module 'torch' is installed already: choose another name, or uninstall that one first"
    )
    assert refusal("plugin", "json") == (
        "a module 'json' is installed already: choose another name, or uninstall that one first"
    )
    assert refusal("plugin", "ganfw-bce") == (
        f"loss 'bce' (ganfw {version('ganfw')}) has the name that the part would get: "
        "choose another, such as ganfw-my-bce"
    )
    assert refusal("recipe", "my gan") == (
        "'my gan' is not a name for a recipe: write letters, digits, '_' and '-', such as my_gan"
    )
    assert list(Path().iterdir()) == []


def test_a_name_that_is_none_for_a_part_is_the_modules() -> None:
    new("plugin", "ganfw-3d")

    assert Path("ganfw-3d/ganfw_3d/ganfw_3d.py").is_file()


def test_nothing_is_overwritten() -> None:
    Path("ganfw-x").mkdir()
    Path("mine.toml").write_text("# mine\n")

    assert refusal("plugin", "ganfw-x") == "ganfw-x exists already, so nothing was written; choose another name"
    assert refusal("recipe", "mine") == "mine.toml exists already, so nothing was written; choose another name"
    assert list(Path("ganfw-x").iterdir()) == []
    assert Path("mine.toml").read_text() == "# mine\n"


def test_a_folder_that_cannot_be_written_is_reported_and_nothing_is_left() -> None:
    Path("file").touch()

    assert refusal("plugin", "ganfw-x", "--path", "nowhere") == (
        "nowhere/ganfw-x: cannot be written: No such file or directory"
    )
    assert refusal("plugin", "ganfw-x", "--path", "file") == "file/ganfw-x: cannot be written: Not a directory"
    assert refusal("recipe", "mine", "--path", "nowhere") == (
        "nowhere/mine.toml: cannot be written: No such file or directory"
    )
    long = "x" * 247  # a folder may be called so, but no file with a suffix
    assert refusal("plugin", long) == f"{long}: cannot be written: File name too long"
    assert list(Path().iterdir()) == [Path("file")]


def test_recipe_extends_the_other_and_means_the_same_until_a_line_is_changed(registry: Registry) -> None:
    result = new("recipe", "my_gan")

    assert (result.exit_code, result.stdout) == (0, "my_gan.toml\n")
    assert result.stderr == (
        "\n"
        "It is the same experiment until you change a line. Next:\n"
        "\n"
        "  ganfw check my_gan.toml\n"
        "  ganfw show my_gan.toml\n"
        "  ganfw run my_gan.toml --set run.max_steps=1000\n"
    )
    base = Recipe.load("mnist_mlp", registry)
    assert Recipe.load("my_gan.toml", registry).tables == base.as_base().tables
    text = Path("my_gan.toml").read_text()
    assert '\n[generator]\n# use = "mlp"\n# hidden_dim = 128\n' in text
    uncommented = text.replace("\n# ", "\n").partition("\n[")
    assert Recipe.parse("[" + uncommented[2]).tables == {
        name: table for name, table in base.as_base().tables.items() if name != "format"
    }


def test_recipe_can_extend_a_file(registry: Registry) -> None:
    Path("base.toml").write_text('extends = "mnist_mlp"\n[run]\nepochs = 3\n')
    Path("sub").mkdir()

    result = new("recipe", "mine.toml", "--from", "base.toml", "--path", "sub")

    assert result.stdout == "sub/mine.toml\n"
    assert '\nextends = "../base.toml"\n' in Path("sub/mine.toml").read_text()
    assert Recipe.load("sub/mine.toml", registry) == Recipe.load("base.toml", registry)


def test_recipe_from_what_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANFW_PLUGINS", "")  # other packages have recipes with names like it
    assert refusal("recipe", "mine", "--from", "mnist_mpl") == (
        "no recipe is named 'mnist_mpl'; did you mean 'mnist_mlp' or 'mnist_mlp_wgan' or 'mnist_mlp_fast'?; "
        "see: ganfw recipes"
    )
    assert list(Path().iterdir()) == []
