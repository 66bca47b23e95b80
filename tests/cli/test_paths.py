"""Paths that the system refuses: one error each, before any work."""

import json
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ganfw import Recipe, Registry, assemble, create_run_directory, resolve
from ganfw.cli import main
from ganfw.run.directory import record_resume

LONG = "a" * 300


def refusal(*arguments: str | Path) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 2, result.output
    return result.stderr


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_working_directory_that_is_gone_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    assert (
        refusal("check", "mnist_mlp")
        == "Error: the working directory does not exist any more; change to another one with cd\n"
    )


@pytest.mark.parametrize("verb", ["sample", "interpolate", "evaluate"])
def test_a_path_too_long_for_a_checkpoint(verb: str) -> None:
    assert refusal(verb, LONG) == f"Error: {LONG}: no such run directory or checkpoint; see: ganfw runs\n"


@pytest.mark.parametrize("verb", ["resume", "report"])
def test_a_path_too_long_for_a_run(verb: str) -> None:
    assert refusal(verb, LONG) == f"Error: {LONG}: no such run directory; see: ganfw runs\n"


@pytest.mark.parametrize("verb", ["runs", "table"])
def test_a_path_too_long_for_a_folder_of_runs(verb: str) -> None:
    assert refusal(verb, LONG) == f"Error: {LONG}: no such folder; name one that holds runs\n"


def test_a_path_too_long_for_a_sweep() -> None:
    assert refusal("sweep", LONG).startswith("Error: no recipe is named 'aaa")
    assert refusal("sweep", f"{LONG}.toml") == f"Error: {LONG}.toml: cannot be read: File name too long\n"


@pytest.mark.parametrize("start", [LONG, f"{LONG}@5", "runs@" + "9" * 5000])
def test_a_start_that_can_be_no_path(start: str) -> None:
    assert refusal("run", "mnist_mlp", "--from", start).endswith(
        ": no such run directory or checkpoint; see: ganfw runs\n"
    )


@pytest.mark.parametrize("name", [f"{LONG}.png", f"{'a' * 245}.png"])
def test_a_picture_whose_name_is_too_long(trained: Path, name: str) -> None:
    assert refusal("sample", trained, "-o", name) == f"Error: {name}: cannot be written: File name too long\n"


@pytest.mark.skipif(sys.platform != "linux", reason="paths are text elsewhere")
def test_a_run_in_a_folder_whose_name_is_not_utf_8(tiny: Recipe, registry: Registry, tmp_path: Path) -> None:
    out = tmp_path / os.fsdecode(b"caf\xe9")
    experiment = assemble(resolve(tiny, registry))

    directory = create_run_directory(out, experiment, ["ganfw", "run", "--out", str(out)])
    record_resume(directory, experiment, 0, ["ganfw", "resume", str(directory)])

    environment = json.loads((directory / "environment.json").read_text(encoding="utf-8"))
    assert environment["command"] == f"ganfw run --out '{out}'"
