"""Sweeps on Ray come to the end that they have on this machine, whatever happens to workers, nodes and the sweep."""

import os
import random
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ray.cluster_utils import Cluster

Write = Callable[..., Any]
Bits = Callable[[Path], dict[str, Any]]
WaitUntil = Callable[[Callable[[], object]], None]
EndOf = Callable[..., tuple[int, str]]

KILLS = 4
"""So many cannot make a trial fail, even if all of them hit the same one."""


def of_seeds(undisturbed: dict[str, Any], seeds: int) -> dict[str, Any]:
    """Return the bits of the trials of the first seeds."""
    names = tuple(f"loss={loss},seed={seed}/" for loss in ("bce", "hinge") for seed in range(seeds))
    return {name: content for name, content in undisturbed.items() if name.startswith(names)}


def logs_of(folder: Path) -> str:
    return "".join(path.read_text() for path in (folder / "logs").iterdir())


def test_workers_killed_at_random_moments_change_nothing(
    write_sweep: Write, bits: Bits, wait_until: WaitUntil, end_of: EndOf, undisturbed: dict[str, Any]
) -> None:
    sweep = write_sweep('use = "ray"\njobs = 2', seeds=3)
    moments = random.Random(0)

    with sweep.start() as process:
        for _ in range(KILLS):
            wait_until(sweep.workers)
            time.sleep(moments.uniform(0.0, 3.0))
            wait_until(sweep.workers)
            trial, worker = moments.choice(list(sweep.workers().items()))
            os.kill(worker, signal.SIGKILL)
            wait_until(lambda trial=trial: trial not in sweep.processes())
        status, output = end_of(process)

    assert status == 0, output
    assert bits(sweep.folder) == undisturbed
    assert logs_of(sweep.folder).count("ray: start ") == 6 + KILLS
    lines = output.splitlines()
    assert lines[0] == "s: 6 trials, 2 at once"
    assert len([line for line in lines if line.startswith("started ")]) == 6
    assert len([line for line in lines if line.startswith("finished ")]) == 6
    assert lines[-1] == "6 of 6 trials are finished"
    assert len(lines) == 1 + 6 + 6 + 3 + 1  # Ray adds nothing to them


def test_nodes_that_come_and_go_change_nothing(
    cluster: Cluster, write_sweep: Write, bits: Bits, wait_until: WaitUntil, end_of: EndOf, undisturbed: dict[str, Any]
) -> None:
    cluster.add_node(num_cpus=1)
    sweep = write_sweep(f'use = "ray"\naddress = "{cluster.address}"')

    with sweep.start() as process:
        wait_until(sweep.processes)
        second = cluster.add_node(num_cpus=1)
        wait_until(lambda: len(sweep.steps()) == 2)
        cluster.remove_node(second, allow_graceful=False)
        status, output = end_of(process)

    assert status == 0, output
    assert bits(sweep.folder) == of_seeds(undisturbed, 1)
    (resumed_at,) = re.findall("continuing from step (.*)", logs_of(sweep.folder))
    assert 10 <= int(resumed_at) < 60  # the trial on the lost node has stopped
    assert output.startswith("s: 2 trials, 1 at once\nstarted "), output
    assert len(output.splitlines()) == 1 + 2 + 2 + 3 + 1, output


def test_a_sweep_that_is_killed_and_stopped_continues_to_the_same_end(
    write_sweep: Write, bits: Bits, wait_until: WaitUntil, end_of: EndOf, undisturbed: dict[str, Any]
) -> None:
    sweep = write_sweep('use = "ray"')

    with sweep.start("--jobs", "2") as process:
        wait_until(sweep.steps)
        before = sweep.steps()
        process.kill()
        wait_until(lambda: not sweep.processes())
        killed = end_of(process)[0]
    saved = sweep.steps()
    with sweep.start("--jobs", "2") as process:
        wait_until(sweep.processes)
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does on a terminal
        stopped = end_of(process)
    status, output = sweep.run("--jobs", "2")

    assert killed == -signal.SIGKILL
    assert all(saved[trial] > before[trial] for trial in before), (before, saved)
    assert any(step % 10 for step in saved.values()), saved  # saved by trials that noticed, not because it was time
    assert stopped[0] == 128 + signal.SIGINT
    assert "s: 2 trials, " in stopped[1]
    assert "stopping: each running trial saves a checkpoint; again: stop at once\n" in stopped[1]
    assert status == 0, output
    assert bits(sweep.folder) == of_seeds(undisturbed, 1)


def test_a_trial_stops_with_a_checkpoint_when_the_head_node_is_lost(
    cluster: Cluster, write_sweep: Write, wait_until: WaitUntil, end_of: EndOf
) -> None:
    cluster.add_node(num_cpus=1)
    sweep = write_sweep(f'use = "ray"\naddress = "{cluster.address}"')
    file = sweep.folder / "sweep.toml"
    file.write_text(file.read_text().replace("max_steps = 60", "max_steps = 600"))

    with sweep.start() as process:
        wait_until(sweep.steps)
        before = sweep.steps()
        cluster.head_node.kill_all_processes(check_alive=False, allow_graceful=False)
        wait_until(lambda: not sweep.processes())
        status, _ = end_of(process)

    assert status not in (0, 2)
    assert all(before[trial] < step < 600 for trial, step in sweep.steps().items()), (before, sweep.steps())
