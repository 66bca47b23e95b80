"""`pytest --device`: what runs where, and why a test is skipped."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import ganfw
from ganfw.testing import checks_of

TESTS = """
import pytest
import torch


@pytest.fixture
def numbers(device):
    return torch.ones(2, device=device)


def test_numbers(numbers):
    assert numbers.device.type == "cpu"


def test_words():
    assert not torch.cuda.is_available()


@pytest.mark.only_on("cuda", "mps", reason="a processor has no streams")
def test_streams(device):
    raise AssertionError


@pytest.mark.only_on("cpu", reason="the bits are those of a processor")
def test_bits(device):
    assert device == torch.device("cpu")
"""


def pytest_in(folder: Path, *options: str) -> list[str]:
    """Run the tests above on a machine without a GPU; return the last lines."""
    (folder / "conftest.py").write_text('pytest_plugins = ["ganfw.testing.devices"]\n')
    (folder / "test_it.py").write_text(TESTS)
    code = "import os; os.environ['CUDA_VISIBLE_DEVICES'] = ''; import pytest, sys; sys.exit(pytest.main())"
    command = [sys.executable, "-c", code, "-q", "-rs", "--strict-markers", "-p", "no:cacheprovider", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return [
        line.partition(" in ")[0] for line in done.stdout.splitlines() if line.startswith(("SKIPPED", *"0123456789"))
    ]


def test_by_default_everything_is_on_the_cpu(tmp_path: Path) -> None:
    skipped, summary = pytest_in(tmp_path)

    assert skipped.endswith(": only on CUDA or MPS, not on CPU: a processor has no streams")
    assert summary == "3 passed, 1 skipped"


def test_what_needs_a_device_that_is_not_there_is_skipped(tmp_path: Path) -> None:
    *skipped, summary = pytest_in(tmp_path, "--device", "cuda")

    assert {line.partition("] ")[2].partition(": ")[2] for line in skipped} == {
        "no CUDA device here",
        "only on CPU, not on CUDA: the bits are those of a processor",
    }
    assert summary == "1 passed, 3 skipped"


def test_tests_of_the_device_are_chosen_by_a_marker(tmp_path: Path) -> None:
    assert pytest_in(tmp_path, "-m", "device")[-1] == "2 passed, 1 skipped, 1 deselected"


def test_a_device_that_ganfw_does_not_know_is_refused(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["ganfw.testing.devices"]\n')
    command = [sys.executable, "-m", "pytest", "--device", "gpu"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 4
    assert "argument --device: invalid choice: 'gpu' (choose from " in done.stderr


def test_a_check_is_made_on_the_device_that_is_given(tmp_path: Path) -> None:
    (check,) = (each for each in checks_of("ganfw") if str(each) == "noise normal: builds with its defaults")

    check(tmp_path, device=torch.device("cpu"))
    with pytest.raises(ganfw.InputError, match=r"^device 'cuda:99': this machine has none that torch can use"):
        check(tmp_path, device="cuda:99")


def test_a_recipe_is_checked_on_the_device_that_is_given(tmp_path: Path) -> None:
    (check,) = (each for each in checks_of("ganfw") if str(each) == "recipe grid_mlp: runs")

    with pytest.raises(ganfw.InputError, match=r"^device 'cuda:99': this machine has none that torch can use"):
        check(tmp_path, device="cuda:99")
