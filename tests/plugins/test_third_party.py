"""Third-party packages for real: built, installed into a fresh virtual environment, used, broken and taken away.

pip fetches what builds the packages, so a package index must be within reach.
"""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import frozen

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "plugins" / "ganfw-example"
VERSION = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]["version"]
SHORT = (
    *("--set", "run.max_steps=5"),
    *("--set", "generator.hidden_dim=4"),
    *("--set", "discriminator.hidden_dim=4"),
    *("--device", "cpu"),
)
PYPROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "1.0"

[project.entry-points.ganfw]
parts = "{module}"
"""


@frozen
class Environment:
    """A virtual environment that sees the packages of this one, except those with "ganfw" in their name.

    Attributes:
        folder: where it is; commands run there.
    """

    folder: Path

    @classmethod
    def create(cls, folder: Path) -> "Environment":
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        outer = folder / "outer"
        outer.mkdir()
        for path in sys.path:
            for entry in Path(path).iterdir() if path.endswith(("site-packages", "dist-packages")) else ():
                if "ganfw" not in entry.name and not (outer / entry.name).exists():
                    (outer / entry.name).symlink_to(entry)
        environment = cls(folder)
        (environment.packages / "outer.pth").write_text(str(outer))
        return environment

    @property
    def packages(self) -> Path:
        """Its own site-packages."""
        return Path(sysconfig.get_path("purelib", "venv", {"base": str(self.folder)}))

    def run(self, *command: str | Path, status: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run one of its commands, which must exit with `status` and without a traceback."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("GANFW_", "PYTHON"))}
        done = subprocess.run(
            [Path(sysconfig.get_path("scripts", "venv", {"base": str(self.folder)})) / command[0], *command[1:]],
            cwd=self.folder,
            env={**clean, "PYTHONDONTWRITEBYTECODE": "1", **variables},
            capture_output=True,
            text=True,
        )
        assert (done.returncode, "Traceback" in done.stderr) == (status, False), done.stdout + done.stderr
        return done

    def pip(self, *arguments: str | Path) -> None:
        self.run("python", "-m", "pip", *arguments)

    @contextmanager
    def having(self, name: str, code: str) -> Iterator[None]:
        """Write a distribution of one module, install it, and uninstall it afterwards."""
        source = self.folder / "sources" / name
        source.mkdir(parents=True)
        module = name.replace("-", "_")
        (source / "pyproject.toml").write_text(PYPROJECT.format(name=name, module=module))
        (source / f"{module}.py").write_text(code)
        self.pip("install", "--no-deps", source)
        try:
            yield
        finally:
            self.pip("uninstall", "--yes", name)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Return an environment without ganfw."""
    return Environment.create(tmp_path_factory.mktemp("third_party") / "environment")


@pytest.fixture(scope="module")
def wheels(bare: Environment) -> dict[str, Path]:
    """Return the wheels of ganfw and of the example, by their distribution as file names have it."""
    folder = bare.folder / "wheels"
    bare.pip("wheel", "--no-deps", "--wheel-dir", folder, ROOT, EXAMPLE)
    return {path.name.partition("-")[0]: path for path in folder.iterdir()}


@pytest.fixture(scope="module")
def environment(bare: Environment, wheels: dict[str, Path]) -> Environment:
    """Return the environment with ganfw and the example installed."""
    bare.pip("install", "--no-deps", *wheels.values())
    return bare


@pytest.fixture(scope="module")
def run_directory(environment: Environment) -> Path:
    """Return a run of the example's recipe."""
    done = environment.run("ganfw", "run", "mnist_mlp_hellinger", *SHORT)
    return environment.folder / done.stdout.splitlines()[-1]


@pytest.fixture
def without_example(environment: Environment, wheels: dict[str, Path]) -> Iterator[Environment]:
    """Return the environment while the example is uninstalled."""
    environment.pip("uninstall", "--yes", "ganfw-example")
    yield environment
    environment.pip("install", "--no-deps", wheels["ganfw_example"])


def rows(output: str) -> list[list[str]]:
    """Return the cells of what `ganfw parts` or `ganfw plugins` prints."""
    return [re.split(r" {2,}", line.strip()) for line in output.splitlines()]


def test_wheels_hold_what_is_no_python_file(wheels: dict[str, Path]) -> None:
    assert wheels.keys() == {"ganfw", "ganfw_example"}
    held = {name: set(zipfile.ZipFile(wheel).namelist()) for name, wheel in wheels.items()}
    data = (
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
        "NOTICE.md",
    )
    wanted = {f"ganfw/builtin/mnist_data/{name}" for name in data} | {"ganfw/recipes/mnist_mlp.toml", "ganfw/py.typed"}
    templates = {path.relative_to(ROOT).as_posix() for path in (ROOT / "ganfw" / "scaffold").rglob("*.template")}
    assert len(templates) == 38
    wanted |= templates
    assert wanted - held["ganfw"] == set()
    assert {"ganfw_example/mnist_mlp_hellinger.toml", "ganfw_example/py.typed"} <= held["ganfw_example"]
    assert [name for name in held["ganfw"] if not name.startswith(("ganfw/", "ganfw-"))] == []


def test_installed_ganfw_is_the_one_imported(environment: Environment) -> None:
    code = (
        "import ganfw, ganfw_example, torch; print(ganfw.__file__, ganfw_example.__file__, torch.__file__, sep='\\n')"
    )
    files = [Path(line) for line in environment.run("python", "-c", code).stdout.splitlines()]
    assert files == [
        environment.packages / "ganfw" / "__init__.py",
        environment.packages / "ganfw_example" / "__init__.py",
        environment.folder / "outer" / "torch" / "__init__.py",
    ]


def test_the_source_distribution_gives_the_same_wheel(bare: Environment, wheels: dict[str, Path]) -> None:
    bare.pip("install", "hatchling")
    code = "import os, sys, hatchling.build; os.chdir(sys.argv[1]); print(hatchling.build.build_sdist(sys.argv[2]))"
    source = bare.folder / bare.run("python", "-c", code, ROOT, bare.folder).stdout.splitlines()[-1]

    bare.pip("wheel", "--no-deps", "--wheel-dir", bare.folder / "from_source", source)

    (wheel,) = (bare.folder / "from_source").iterdir()
    names = [sorted(zipfile.ZipFile(each).namelist()) for each in (wheel, wheels["ganfw"])]
    assert names[0] == names[1]


def test_no_home_is_needed(environment: Environment) -> None:
    nowhere = {"HOME": "/proc/nowhere", "XDG_CACHE_HOME": "", "MPLCONFIGDIR": ""}
    run = environment.run("ganfw", "run", "mnist_mlp", *SHORT, "--out", "homeless", **nowhere).stdout.splitlines()[-1]
    evaluate = ("evaluate", "-n", "100", "--set", "embedding.use=pixels")
    for verb, *options in (("sample",), ("interpolate",), evaluate, ("report",)):
        environment.run("ganfw", verb, run, *options, **nowhere)


def test_parts_lists_a_part_with_its_package(environment: Environment) -> None:
    listed = rows(environment.run("ganfw", "parts", "loss").stdout)
    assert ["squared_hellinger", "f-GAN with the squared Hellinger distance", "ganfw-example", VERSION] in listed


def test_plugins_lists_the_package_as_active(environment: Environment) -> None:
    plugins = json.loads(environment.run("ganfw", "plugins", "--json").stdout)
    assert [plugin for plugin in plugins if plugin["distribution"] == "ganfw-example"] == [
        {
            "distribution": "ganfw-example",
            "version": VERSION,
            "source": "ganfw_example",
            "status": "active",
            "reason": "",
            "parts": ["loss squared_hellinger", "noise hypersphere", "recipe mnist_mlp_hellinger"],
        }
    ]


def test_recipe_of_a_package_runs_by_its_name(environment: Environment, run_directory: Path) -> None:
    assert run_directory == environment.folder / "runs" / "mnist_mlp_hellinger-1"
    lines = [json.loads(line) for line in (run_directory / "metrics.jsonl").read_text().splitlines()]
    assert [(line["step"], line["images"]) for line in lines] == [(5, 5 * 128)]


def test_run_records_which_package_supplied_each_part(run_directory: Path) -> None:
    parts = json.loads((run_directory / "environment.json").read_text())["parts"]
    assert {address: part for address, part in parts.items() if part["distribution"] == "ganfw-example"} == {
        "loss": {
            "kind": "loss",
            "name": "squared_hellinger",
            "distribution": "ganfw-example",
            "version": VERSION,
            "target": "ganfw_example.squared_hellinger:SquaredHellinger",
        },
        "noise": {
            "kind": "noise",
            "name": "hypersphere",
            "distribution": "ganfw-example",
            "version": VERSION,
            "target": "ganfw_example.hypersphere:Hypersphere",
        },
    }


def test_samples_are_drawn_with_a_packages_noise(environment: Environment, run_directory: Path, tmp_path: Path) -> None:
    done = environment.run("ganfw", "sample", run_directory, "-o", tmp_path / "samples.png")
    assert done.stdout == f"{tmp_path / 'samples.png'}\n"
    assert (tmp_path / "samples.png").read_bytes()[:4] == b"\x89PNG"


def missing(run_directory: Path, kind: str, name: str) -> str:
    recipe = run_directory / "checkpoints" / "step-000005" / "recipe.toml"
    text = f'use = "ganfw-example:{name}"'
    line = recipe.read_text().splitlines()
    number = next(number for number, each in enumerate(line, 1) if each.startswith(text))
    return (
        f"{recipe}:{number}: no {kind} is named 'ganfw-example:{name}'\n"
        f"    {text}\n"
        "  install its package: pip install ganfw-example\n"
        f"  see: ganfw parts {kind}\n"
    )


def test_sample_without_the_package_says_what_to_install(run_directory: Path, without_example: Environment) -> None:
    done = without_example.run("ganfw", "sample", run_directory, status=2)
    assert (done.stdout, done.stderr) == ("", f"Error: {missing(run_directory, 'noise', 'hypersphere')}")


def test_resume_without_the_package_says_what_to_install(run_directory: Path, without_example: Environment) -> None:
    done = without_example.run("ganfw", "resume", run_directory, status=2)
    problems = [missing(run_directory, "noise", "hypersphere"), missing(run_directory, "loss", "squared_hellinger")]
    assert done.stdout == ""
    assert done.stderr == "Error: 2 problems in recipe 'mnist_mlp_hellinger'\n\n" + "\n".join(problems)


def test_tests_of_the_example_pass_against_the_wheels(environment: Environment) -> None:
    quick = ["-k", "not contract"]  # those need minutes, and .ci/run has them
    done = environment.run("python", "-m", "pytest", "-p", "no:cacheprovider", *quick, EXAMPLE / "tests")
    assert re.fullmatch(r"=+ [1-9]\d* passed, 29 deselected in .* =+", done.stdout.splitlines()[-1])


def test_a_package_that_ganfw_writes_installs_passes_its_tests_and_shows_up(environment: Environment) -> None:
    told = environment.run("ganfw", "new", "plugin", "ganfw-x")
    commands = re.findall(r"^  (.*)$", told.stderr, re.MULTILINE)
    assert told.stdout == "ganfw-x\n"
    try:
        environment.pip("install", "--no-deps", environment.folder / "ganfw-x")
        assert ["x", "an example, to be made your own", "ganfw-x", "0.1.0"] in rows(
            environment.run("ganfw", "parts", "loss").stdout
        )
        done = environment.run("python", "-m", "pytest", "-p", "no:cacheprovider", environment.folder / "ganfw-x")
        assert re.fullmatch(r"=+ 16 passed in .* =+", done.stdout.splitlines()[-1])
        assert commands[-1] == "ganfw run mnist_mlp --set loss.use=x --set run.epochs=1"
        environment.run(*commands[-1].split(), *SHORT)
    finally:
        environment.pip("uninstall", "--yes", "ganfw-x")


def test_package_that_fails_on_import_is_listed_and_takes_nothing_down(environment: Environment) -> None:
    reason = "RuntimeError: no licence was found (ganfw_broken.py:3)"
    with environment.having("ganfw-broken", '"""A plugin."""\n\nraise RuntimeError("no licence\\nwas found")\n'):
        done = environment.run("ganfw", "plugins")
        assert ["ganfw-broken", "1.0", "0", f"failed: {reason}"] in rows(done.stdout)

        done = environment.run("ganfw", "run", "mnist_mlp", "--set", "loss.use=critic", status=2)
        assert done.stderr == (
            "Error: --set loss.use=critic: no loss is named 'critic'\n"
            f"  plugin 'ganfw-broken' might offer it but failed: {reason}\n"
            "  see: ganfw parts loss\n"
        )

        done = environment.run("ganfw", "parts", "loss")
        assert {"bce", "squared_hellinger"} <= {row[0] for row in rows(done.stdout)}
        assert done.stderr == f"\nplugin 'ganfw-broken' failed: {reason}\n"
        done = environment.run("ganfw", "run", "mnist_mlp_hellinger", *SHORT)
        assert (environment.folder / done.stdout.splitlines()[-1] / "checkpoints" / "step-000005").is_dir()

        done = environment.run("ganfw", "parts", status=2, GANFW_STRICT_PLUGINS="1")
        assert done.stderr == f"Error: plugin 'ganfw-broken' failed: {reason}\n"


RIVAL = """
from ganfw import Part, hookimpl


@hookimpl
def ganfw_parts():
    yield Part(kind="noise", name="hypersphere", target="ganfw_rival:hypersphere", help="another one")


def hypersphere(device, /):
    from ganfw_example.hypersphere import Hypersphere

    return Hypersphere(device, z_dim=3)
"""


def test_of_two_packages_that_offer_one_name_neither_wins(environment: Environment) -> None:
    with environment.having("ganfw-rival", RIVAL):
        listed = rows(environment.run("ganfw", "parts", "noise").stdout)
        assert [row for row in listed if "hypersphere" in row[0]] == [
            ["ganfw-example:hypersphere", "uniform on the hypersphere of radius sqrt(z_dim)", "ganfw-example", VERSION],
            ["ganfw-rival:hypersphere", "another one", "ganfw-rival", "1.0"],
        ]

        ambiguous = ("show", "mnist_mlp", "--set", "noise.use=hypersphere")
        done = environment.run("ganfw", *ambiguous, status=2)
        assert done.stderr == (
            "Error: --set noise.use=hypersphere: noise 'hypersphere' is offered by 2 plugins\n"
            "  write 'ganfw-example:hypersphere' or 'ganfw-rival:hypersphere'\n"
        )
        done = environment.run("ganfw", *ambiguous, "--no-plugin", "ganfw-rival")
        assert f"from ganfw-example {VERSION}\n" in done.stdout

        qualified = ("--set", "noise.use=ganfw-rival:hypersphere")
        done = environment.run("ganfw", "run", "mnist_mlp_hellinger", *SHORT, *qualified)
        assert ["noise", "hypersphere", "3 dimensions"] in rows(done.stderr)
