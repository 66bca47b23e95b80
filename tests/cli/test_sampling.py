"""`ganfw sample` and `ganfw interpolate`, from a run or a checkpoint alone."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import ganfw
from ganfw import Registry
from ganfw.cli import main


def invoke(*arguments: str | Path, status: int = 0) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    return result.stderr if status else result.stdout


def picture_size(path: str) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_sample_draws_the_last_grid_of_the_run(trained: Path) -> None:
    assert invoke("sample", trained) == "tiny-step-000010-seed-0.png\n"

    assert Path("tiny-step-000010-seed-0.png").read_bytes() == (trained / "samples" / "step-000010.png").read_bytes()


def test_sample_of_a_checkpoint_that_stands_alone(trained: Path) -> None:
    shutil.move(trained / "checkpoints" / "step-000010", "alone")
    shutil.rmtree(trained)

    assert invoke("sample", "alone", "-n", "4", "--seed", "7") == "tiny-step-000010-seed-7.png\n"
    assert picture_size("tiny-step-000010-seed-7.png") == (2 * 88 + 4, 2 * 88 + 4)


@pytest.mark.slow
def test_sample_while_the_run_trains_and_removes_checkpoints(tmp_path: Path) -> None:
    often = ("callbacks.checkpoint.every_steps=1", "callbacks.checkpoint.keep=1", "callbacks.samples.enabled=false")
    small = ("generator.hidden_dim=4", "discriminator.hidden_dim=4", "data.split=test")
    settings = [word for each in (*often, *small) for word in ("--set", each)]
    command = [sys.executable, "-m", "ganfw", "run", "mnist_mlp", *settings, "--out", str(tmp_path)]
    steps: list[int] = []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as training:
        try:
            checkpoints = tmp_path / "mnist_mlp-1" / "checkpoints"
            while not (checkpoints / "latest").exists():
                assert training.poll() is None
                time.sleep(0.05)
            for _ in range(50):
                step = invoke("sample", checkpoints.parent, "-n", "1", "--seed", "1").split("-")[2]
                steps.append(int(step))
        finally:
            training.terminate()

    assert steps == sorted(steps)
    assert steps[-1] > steps[0]


def test_numbers_are_what_the_python_api_gives(trained: Path, registry: Registry) -> None:
    invoke("sample", trained, "-n", "70", "--seed", "7", "--truncation", "0.5", "-o", "a.npy")
    invoke("sample", trained, "-n", "70", "--seed", "7", "--truncation", "0.5", "-o", "b.npy", "--batch-size", "3")
    samples = ganfw.open_checkpoint(trained).source(registry, "cpu").sample(70, seed=7, truncation=0.5)

    array = np.load("a.npy", allow_pickle=False)

    assert (array.shape, array.dtype) == ((70, 1, 28, 28), np.float32)
    assert np.array_equal(array, samples.numpy())
    assert np.array_equal(array, np.load("b.npy"))


def test_interpolate_draws_a_line_and_an_arc_for_each_pair(trained: Path) -> None:
    stdout = invoke("interpolate", trained, "--pairs", "2", "--steps", "5")
    invoke("interpolate", trained, "--pairs", "2", "--steps", "5", "-o", "a.npy")

    assert stdout == "tiny-step-000010-seed-0-interpolation.png\n"
    assert picture_size(stdout.strip()) == (5 * 88 + 4, 4 * 88 + 4)
    array = np.load("a.npy")
    assert array.shape == (2, 2, 5, 1, 28, 28)
    np.testing.assert_allclose(array[:, 0, [0, -1]], array[:, 1, [0, -1]], atol=1e-5)
    assert np.abs(array[:, 0, 2] - array[:, 1, 2]).max() > 1e-5


def test_name_tells_the_truncation(trained: Path) -> None:
    assert invoke("sample", trained, "--truncation", "0.5") == "tiny-step-000010-seed-0-truncation-0.5.png\n"


@pytest.mark.parametrize(
    ("command", "options", "message"),
    [
        ("sample", ["-n", "0"], "the number of samples must be >= 1, not 0"),
        ("sample", ["--truncation", "-1"], "the truncation threshold must be >= 0, not -1.0"),
        ("sample", ["--truncation", "nan"], "the truncation threshold must be >= 0, not nan"),
        ("sample", ["--batch-size", "0"], "the batch size must be >= 1, not 0"),
        ("sample", ["-o", "a.jpg"], "-o a.jpg: the name must end in .png, for a picture, or .npy, for numbers"),
        ("sample", ["--device", "gpu"], "device 'gpu' is none that torch knows; use auto, cpu, cuda, cuda:1 or mps"),
        ("interpolate", ["--pairs", "0"], "the number of pairs must be >= 1, not 0"),
        ("interpolate", ["--steps", "1"], "the number of steps must be >= 2, not 1"),
    ],
)
def test_bad_options_get_one_message(trained: Path, command: str, options: list[str], message: str) -> None:
    assert invoke(command, trained, *options, status=2) == f"Error: {message}\n"
    assert not list(Path().glob("*.npy"))


def test_an_output_that_cannot_be_written_is_told(trained: Path) -> None:
    Path("file").write_text("")

    message = invoke("sample", trained, "-o", "file/a.png", status=2)

    assert message == "Error: file/a.png: cannot be written: there is no folder file; make it first\n"


def test_a_folder_that_is_no_run_is_told() -> None:
    assert invoke("sample", "gone", status=2) == "Error: gone: no such run directory or checkpoint\n"
