"""The launcher `local` divides the machine among trials."""

import sys
import time
from pathlib import Path

import pytest
import torch

from ganfw import RunError, TrialJob, TrialTask
from ganfw.builtin import local

CODE = "import os; print(os.environ['OMP_NUM_THREADS'], os.environ.get('CUDA_VISIBLE_DEVICES'))"


def task(folder: Path, command: tuple[str, ...] = (sys.executable, "-c", CODE)) -> TrialTask:
    return TrialTask("one", command, "", folder / "log")


def printed(job: TrialJob) -> str:
    while (result := job.result()) is None:
        time.sleep(0.01)
    return result[1].strip()


@pytest.mark.parametrize(("jobs", "threads", "expected"), [(1, None, "5"), (2, None, "2"), (9, None, "1"), (2, 3, "3")])
def test_threads_are_divided(jobs: int, threads: int | None, expected: str, tmp_path: Path) -> None:
    torch.set_num_threads(5)
    try:
        launcher = local.Local(jobs=jobs, threads=threads)
    finally:
        torch.set_num_threads(1)

    assert printed(launcher.start(task(tmp_path))).split()[0] == expected


def test_each_trial_sees_one_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_gpus", lambda: ["2", "5"])
    assert local.Local().jobs == 2
    launcher = local.Local(jobs=3)

    jobs = [launcher.start(task(tmp_path)) for _ in range(3)]

    assert [printed(job).split()[1] for job in jobs] == ["2", "5", "2"]
    assert printed(launcher.start(task(tmp_path))).split()[1] == "2"  # the place of one that has ended


def test_a_command_that_cannot_be_started_is_an_error_and_frees_its_place(tmp_path: Path) -> None:
    launcher = local.Local(jobs=1)

    with pytest.raises(RunError) as caught:
        launcher.start(task(tmp_path, ("/nowhere/python",)))

    assert str(caught.value) == "trial 'one' cannot be started: No such file or directory"
    assert printed(launcher.start(task(tmp_path)))
