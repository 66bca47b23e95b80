"""What becomes of a trial whose job is ended, and of one that is told to stop."""

import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import ganfw
from ganfw_slurm import launcher as module
from ganfw_slurm.launcher import Slurm, SlurmJob

Wait = Callable[[Callable[[], object], str], None]
Find = Callable[..., list[int]]

COUNTING = """
import pathlib, sys, time
count = pathlib.Path(sys.argv[1])
number = len(count.read_text()) if count.exists() else 0
count.write_text("x" * (number + 1))
request = sys.stdin.readline().strip()
if number < int(sys.argv[2]):
    sys.stdin.read()
    print("stopped", request)
else:
    print("finished", request)
"""
"""A trial that waits to be stopped the first times, and notes how often it was started."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ASK_SECONDS", 0.05)
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.2)
    monkeypatch.setattr(module, "FORCE_SECONDS", 0.2)
    monkeypatch.setattr(module, "LATE_SECONDS", 0.5)


@pytest.fixture
def counting(tmp_path: Path) -> Callable[[int], ganfw.TrialTask]:
    """A function that returns a task which waits to be stopped so many times."""
    (tmp_path / "logs").mkdir()

    def task(waits: int) -> ganfw.TrialTask:
        command = (sys.executable, "-c", COUNTING, str(tmp_path / "count"), str(waits))
        return ganfw.TrialTask("a trial", command, "a request", tmp_path / "logs" / "trial.log")

    return task


def starts(tmp_path: Path) -> int:
    path = tmp_path / "count"
    return len(path.read_text()) if path.exists() else 0


def result_of(job: SlurmJob, wait_for: Wait) -> tuple[int, str]:
    found: list[tuple[int, str]] = []

    def ended() -> bool:
        result = job.result()
        found.extend([result] if result else [])
        return bool(found)

    wait_for(ended, "the trial ends")
    return found[0]


def wrapper(job: SlurmJob, find_processes: Find) -> list[int]:
    return find_processes("submitit.core._submit", f"SUBMITIT_LOCAL_JOB_ID={job._job.job_id}\0")


def test_a_trial_that_is_preempted_continues_in_another_job(
    counting: Callable[[int], ganfw.TrialTask], tmp_path: Path, wait_for: Wait, find_processes: Find
) -> None:
    task = counting(1)
    job = Slurm(executor="local").start(task)
    wait_for(lambda: starts(tmp_path) == 1, "the trial starts")
    (pid,) = wrapper(job, find_processes)
    (child,) = (int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())

    for process in (child, pid):  # Slurm sends it to every process of a job
        os.kill(process, signal.SIGUSR2)

    assert result_of(job, wait_for) == (0, "finished a request\n")
    assert starts(tmp_path) == 2
    assert task.log.read_text() == "launcher 'slurm': its job was ended; submitted again, 1 of 10 times\n"


def test_a_trial_whose_node_fails_continues_in_another_job(
    counting: Callable[[int], ganfw.TrialTask], tmp_path: Path, wait_for: Wait, find_processes: Find
) -> None:
    job = Slurm(executor="local").start(counting(1))
    wait_for(lambda: starts(tmp_path) == 1, "the trial starts")
    (pid,) = wrapper(job, find_processes)
    (child,) = (int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())

    os.kill(pid, signal.SIGKILL)

    assert result_of(job, wait_for) == (0, "finished a request\n")
    assert starts(tmp_path) == 2
    wait_for(lambda: not Path(f"/proc/{child}").exists(), "the first process ends, for its standard input is closed")


def test_a_trial_whose_time_is_up_continues_as_often_as_allowed(
    counting: Callable[[int], ganfw.TrialTask], tmp_path: Path, wait_for: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAVING_SECONDS", 115)  # of two minutes: it is asked after five seconds
    task = counting(5)
    began = time.monotonic()

    job = Slurm(executor="local", minutes=2, resubmissions=1).start(task)

    assert result_of(job, wait_for) == (0, "stopped a request\n")
    assert 10 <= time.monotonic() - began < 110
    assert starts(tmp_path) == 2
    assert task.log.read_text().splitlines()[-1] == (
        "launcher 'slurm': its job was ended, all 1 resubmissions are used up"
    )


def test_a_trial_is_stopped_once_and_not_submitted_again(
    counting: Callable[[int], ganfw.TrialTask], tmp_path: Path, wait_for: Wait
) -> None:
    job = Slurm(executor="local").start(counting(1))
    wait_for(lambda: starts(tmp_path) == 1, "the trial starts")

    job.stop()

    assert result_of(job, wait_for) == (0, "stopped a request\n")
    assert starts(tmp_path) == 1


def test_a_trial_does_not_begin_for_a_launcher_that_is_gone(
    counting: Callable[[int], ganfw.TrialTask],
    tmp_path: Path,
    wait_for: Wait,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SILENCE_SECONDS", 1.0)
    monkeypatch.setattr(Slurm, "_beat", lambda *_: None)
    launcher = Slurm(executor="local", resubmissions=0)

    job = launcher.start(counting(1))

    with pytest.raises(ganfw.RunError) as caught:
        result_of(job, wait_for)
    assert str(caught.value) == "its job was ended, all 0 resubmissions are used up"
    assert starts(tmp_path) == 0


def test_what_a_node_cannot_run_fails_with_its_reason(tmp_path: Path, wait_for: Wait) -> None:
    task = ganfw.TrialTask("a trial", ("/no/such/python",), "a request", tmp_path / "trial.log")

    job = Slurm(executor="local").start(task)

    assert result_of(job, wait_for) == (1, "")
    assert "FileNotFoundError: [Errno 2] No such file or directory: '/no/such/python'" in task.log.read_text()


def test_threads_are_as_many_as_cpus(tmp_path: Path, wait_for: Wait) -> None:
    code = "import os; print(os.environ['OMP_NUM_THREADS'])"
    task = ganfw.TrialTask("a trial", (sys.executable, "-c", code), "a request", tmp_path / "trial.log")

    job = Slurm(executor="local", cpus=3).start(task)

    assert result_of(job, wait_for) == (0, "3\n")


def test_without_slurm_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ganfw.InputError) as caught:
        Slurm()
    assert str(caught.value) == (
        "no sbatch and no srun on this machine: start the sweep where Slurm is, such as a login node, "
        'or set executor = "local" to try it out here'
    )


def test_an_option_without_a_name_is_refused() -> None:
    with pytest.raises(ganfw.InputError) as caught:
        Slurm(executor="local", options=("=vision",))
    assert str(caught.value) == 'options must be as "account=vision", not "=vision"'


def test_slurm_is_given_what_the_keys_say(
    cluster: Path, counting: Callable[[int], ganfw.TrialTask], tmp_path: Path, wait_for: Wait
) -> None:
    launcher = Slurm(partition="gpu", cpus=4, gpus=1, minutes=30, options=("account=vision", "--mem=16G", "exclusive"))

    job = launcher.start(counting(0))

    assert result_of(job, wait_for) == (0, "finished a request\n")
    script = (cluster / "1.sh").read_text()
    flags = dict(re.findall(r"^#SBATCH --([\w-]+)(?:=(.*))?$", script, re.MULTILINE))
    expected = {"partition": "gpu", "cpus-per-task": "4", "gpus-per-node": "1", "time": "30", "account": "vision"}
    expected |= {"mem": "16G", "exclusive": "", "signal": "USR2@90", "job-name": "'a trial'"}
    assert {name: flags[name] for name in expected} == expected
    assert Path(flags["output"]).parents[1] == tmp_path / "logs" / "slurm"


def test_a_job_of_slurm_that_is_preempted_is_submitted_again(
    cluster: Path, counting: Callable[[int], ganfw.TrialTask], tmp_path: Path, wait_for: Wait
) -> None:
    job = Slurm().start(counting(1))
    wait_for(lambda: starts(tmp_path) == 1, "the trial starts")

    os.killpg(int((cluster / "1.pid").read_text()), signal.SIGUSR2)

    assert result_of(job, wait_for) == (0, "finished a request\n")
    assert (cluster / "2.sh").exists()


def test_a_trial_that_waits_in_the_queue_is_taken_out_of_it(
    cluster: Path, counting: Callable[[int], ganfw.TrialTask], tmp_path: Path, wait_for: Wait
) -> None:
    (cluster / "full").touch()
    job = Slurm().start(counting(1))
    assert job.result() is None

    job.stop()

    assert (cluster / "1.cancelled").exists()
    assert result_of(job, wait_for) == (0, "stopped a request\n")  # what the process says when it is stopped at once


def test_a_job_of_slurm_is_killed(
    cluster: Path, counting: Callable[[int], ganfw.TrialTask], tmp_path: Path, wait_for: Wait
) -> None:
    job = Slurm().start(counting(1))
    wait_for(lambda: starts(tmp_path) == 1, "the trial starts")

    job.kill()

    assert result_of(job, wait_for) == (-signal.SIGKILL, "")
    assert (cluster / "1.cancelled").exists()


def test_what_slurm_refuses_is_an_error_with_its_reason(
    cluster: Path, counting: Callable[[int], ganfw.TrialTask]
) -> None:
    (cluster / "refuses").touch()
    with pytest.raises(ganfw.RunError) as caught:
        Slurm(jobs=1).start(counting(0))
    assert str(caught.value).startswith("trial 'a trial' cannot be submitted: ")
    assert "sbatch: error: Batch job submission failed: Invalid account" in str(caught.value)


def test_what_slurm_refuses_to_take_again_fails_with_its_reason(
    cluster: Path, counting: Callable[[int], ganfw.TrialTask], tmp_path: Path, wait_for: Wait
) -> None:
    task = counting(1)
    job = Slurm().start(task)
    wait_for(lambda: starts(tmp_path) == 1, "the trial starts")
    (cluster / "refuses").touch()

    os.killpg(int((cluster / "1.pid").read_text()), signal.SIGUSR2)

    with pytest.raises(ganfw.RunError) as caught:
        result_of(job, wait_for)
    assert "Batch job submission failed: Invalid account" in str(caught.value)
