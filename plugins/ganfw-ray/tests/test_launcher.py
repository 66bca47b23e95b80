"""What the launcher says of keys, clusters, nodes and workers that cannot be used."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from ganfw import InputError, RunError, TrialTask, discover
from ganfw_ray.launcher import Ray

Write = Callable[..., Any]
WaitUntil = Callable[[Callable[[], object]], None]

NODE = 'mount -t tmpfs ganfw "$1" && exec "$2" -m ray.scripts.scripts start --num-cpus=1 --address="$3" --block'
"""Starts a node for which something else is mounted on a folder."""
LOSES_ITS_WORKER = (
    "import os, signal; shell = open(f'/proc/{os.getppid()}/stat').read();"
    "os.kill(int(shell.rpartition(')')[2].split()[1]), signal.SIGKILL)"
)


@pytest.fixture
def listening() -> Iterator[int]:
    """Return a port where something listens that says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def timed(sweep: Any, *options: str) -> tuple[float, int, str]:
    """Run a sweep; return how long that takes, its exit status and output."""
    started = time.monotonic()
    status, output = sweep.run(*options)
    return time.monotonic() - started, status, output


def result_of(job: Any) -> tuple[int, str]:
    result: tuple[int, str] | None = None
    deadline = time.monotonic() + 180
    while result is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
        result = job.result()
    return result


def test_keys_are_checked(write_sweep: Write) -> None:
    sweep = write_sweep('use = "ray"\naaddress = "auto"\njobs = 0\ncpus = 0.5\ngpus = 2')

    status, output = sweep.run()

    assert status == 2
    assert output == (
        "Error: s/sweep.toml:17: unknown key 'aaddress' of launcher 'ray'\n"
        '    aaddress = "auto"\n'
        "  did you mean 'address'?\n"
        "\n"
        "s/sweep.toml:18: launcher.jobs must be >= 1, not 0\n"
        "    jobs = 0\n"
        "\n"
        "s/sweep.toml:19: launcher.cpus must be an int >= 1, not 0.5\n"
        "    cpus = 0.5\n"
        "\n"
        "s/sweep.toml:20: launcher.gpus must be <= 1, not 2\n"
        "    gpus = 2\n"
    )


@pytest.mark.parametrize("address", ["ray://10.0.0.1:10001", "10.0.0.1", ":6379", "", "head:ray"])
def test_an_address_is_checked(address: str) -> None:
    with pytest.raises(InputError) as caught:
        discover().find("launcher", "ray").build({}, {"address": address})

    assert str(caught.value) == (
        f"launcher 'ray' (ganfw-ray {version('ganfw-ray')}): address must be 'HOST:PORT' or 'auto', not '{address}'"
    )


def test_an_address_where_nothing_listens_is_refused_at_once(write_sweep: Write, free_port: int) -> None:
    sweep = write_sweep(f'use = "ray"\naddress = "127.0.0.1:{free_port}"')

    seconds, status, output = timed(sweep)

    assert seconds < 60
    assert (status, output) == (
        2,
        f"Error: launcher.address: no Ray cluster answers at 127.0.0.1:{free_port}: Connection refused; start one with "
        f"'ray start --head --port={free_port}', or leave the address out to have one started for this sweep\n",
    )


def test_what_is_not_a_cluster_is_refused_within_seconds(write_sweep: Write, listening: int) -> None:
    sweep = write_sweep(f'use = "ray"\naddress = "127.0.0.1:{listening}"')

    without_cluster, status_of_dry_run, listed = timed(sweep, "--dry-run")
    seconds, status, output = timed(sweep)

    assert status_of_dry_run == 0, listed
    assert seconds - without_cluster < 30
    assert (status, output) == (
        2,
        f"Error: launcher.address: no Ray cluster answers at 127.0.0.1:{listening}: nothing within 7 s; start one with "
        f"'ray start --head --port={listening}', or leave the address out to have one started for this sweep\n",
    )


@pytest.mark.skipif(find_spec("ray._private.authentication") is None, reason="this Ray has no tokens")
def test_a_cluster_that_asks_for_a_token_is_refused(write_sweep: Write, free_port: int) -> None:
    address = f"127.0.0.1:{free_port}"
    sweep = write_sweep(f'use = "ray"\naddress = "{address}"')
    head = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--num-cpus=0", "--include-dashboard=false"]
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 4}
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

    with subprocess.Popen([*head, f"--port={free_port}", "--block"], env={**os.environ, **token}, **silent) as process:
        while not answers(free_port):
            time.sleep(0.1)
        status, output = sweep.run()
        process.terminate()

    assert (status, output) == (
        2,
        f"Error: launcher.address: the Ray cluster at {address} asks for a token; set RAY_AUTH_MODE=token in the "
        "environment, and have the cluster's token in ~/.ray/auth_token\n",
    )


def test_trials_that_no_node_can_hold_are_refused() -> None:
    with pytest.raises(RunError) as of_cpus:
        _ = Ray(cpus=1000).jobs
    with pytest.raises(RunError) as of_gpus:
        _ = Ray(jobs=1, cpus=1000, gpus=0.5).jobs

    assert str(of_cpus.value) == "no node of the Ray cluster has room for a trial with 1000 CPUs"
    assert str(of_gpus.value) == "no node of the Ray cluster has room for a trial with 1000 CPUs and 0.5 GPUs"


def test_as_many_jobs_as_the_cluster_has_room_for() -> None:
    cpus = int(ray.nodes()[0]["Resources"]["CPU"]) if ray.is_initialized() else os.cpu_count()

    assert Ray().jobs == cpus
    assert Ray(cpus=cpus or 1).jobs == 1
    assert Ray(jobs=7).jobs == 7


def test_a_trial_has_its_threads_and_no_gpu_that_it_did_not_ask_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANFW_CACHE", "/somewhere")
    launcher = Ray(cpus=1, gpus=0)
    code = (
        "import os; print(*(os.environ[name] for name in ('OMP_NUM_THREADS', 'CUDA_VISIBLE_DEVICES', 'GANFW_CACHE')))"
    )
    task = TrialTask("trial", (sys.executable, "-c", f"{code}; print(os.getcwd())"), "", tmp_path / "log")

    assert result_of(launcher.start(task)) == (0, f"1  /somewhere\n{Path.cwd()}\n")


def test_trials_have_gpus_where_there_are_any(cluster: Cluster, tmp_path: Path) -> None:
    cluster.add_node(num_cpus=5, num_gpus=2)
    command = [sys.executable, Path(__file__).with_name("with_gpus.py"), cluster.address, tmp_path / "log"]

    printed = subprocess.run(command, capture_output=True, text=True, timeout=180).stdout

    assert printed.splitlines() == ["2", "4", "5", "(0, '0\\n')", "(0, '1\\n')"]


def test_a_signal_that_ends_a_trial_is_reported(tmp_path: Path) -> None:
    code = f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})"
    task = TrialTask("trial", (sys.executable, "-c", code), "", tmp_path / "log")

    assert result_of(Ray().start(task)) == (-signal.SIGSEGV, "")


def test_a_trial_that_loses_its_worker_again_and_again_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = Ray()
    assert launcher.jobs
    monkeypatch.setattr("ganfw_ray.job.MAX_STARTS", 3)
    task = TrialTask("trial", (sys.executable, "-c", LOSES_ITS_WORKER), "", tmp_path / "log")

    with pytest.raises(RunError) as caught:
        result_of(launcher.start(task))

    assert str(caught.value) == (
        "its Ray worker was lost 3 times, last: The actor is dead because its worker process has died. Worker exit "
        "type: SYSTEM_ERROR Worker exit detail: Worker unexpectedly exits with a connection error code 2. End of file."
    )
    assert (tmp_path / "log").read_text().count("ray: start ") == 3


def test_a_node_that_does_not_see_the_disk_fails_the_trial_before_it_starts(
    cluster: Cluster, write_sweep: Write, wait_until: WaitUntil
) -> None:
    sweep = write_sweep(f'use = "ray"\naddress = "{cluster.address}"')
    (sweep.folder / "logs").mkdir()
    namespaces = (["unshare", "--mount"], ["unshare", "--mount", "--map-root-user"])
    unshare = next((each for each in namespaces if subprocess.run([*each, "true"]).returncode == 0), None)
    if unshare is None:
        pytest.skip("this user may not mount anything")
    node = [*unshare, "sh", "-c", NODE, "sh", sweep.folder / "logs", sys.executable, cluster.address]
    with subprocess.Popen(node, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: sum(node["Alive"] for node in cluster.global_state.node_table()) == 2)
        status, output = sweep.run()
        process.terminate()

    assert status == 1, output
    host = cluster.head_node.node_ip_address
    reasons = [
        f"failed: {trial}: the Ray node {host} does not see {sweep.folder}/logs/{trial}.log or not the folder "
        f"{sweep.place}; the sweep's folder and the working directory must be on a disk that all nodes mount at the "
        "same path\n"
        for trial in ("loss=bce,seed=0", "loss=hinge,seed=0")
    ]
    assert any(reason in output for reason in reasons), output  # a busy machine may lose the node after the first
    assert not list(sweep.folder.glob("*=*/**/*"))
