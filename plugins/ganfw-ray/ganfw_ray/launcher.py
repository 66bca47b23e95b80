"""The trials of a sweep on the nodes of a Ray cluster."""

import os
import time
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Le

from ganfw import InputError, RunError, TrialTask

if TYPE_CHECKING:
    from ganfw_ray.job import RayJob

LOOK_SECONDS = 1.0
"""How often the launcher looks which nodes there are."""
AUTO = "auto"
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "1", "RAY_DEDUP_LOGS_SKIP_REGEX": "."}
"""No reports to Ray's authors, and no lines of Ray's among those of the sweep. Ray reads this when it is imported."""


class Ray:
    """Runs trials on the nodes of a Ray cluster, an existing one or one that is started here for the sweep.

    All nodes have the same Python environment, and mount the disk of the sweep's folder and of the working directory at
    the same path. A trial whose Ray worker or node is lost continues on another one from its last checkpoint.
    """

    def __init__(
        self,
        *,
        address: Annotated[
            str | None, "of a cluster that runs, 'HOST:PORT' or 'auto'; by default one is started on this machine"
        ] = None,
        jobs: Annotated[
            Annotated[int, Ge(1)] | None, "trials at once; by default as many as the cluster has room for"
        ] = None,
        cpus: Annotated[int, Ge(1), "cores of each trial, and its threads"] = 1,
        gpus: Annotated[
            Annotated[float, Ge(0), Le(1)] | None,
            "of each trial, 0.5 where two share one; by default 1 where the cluster has any",
        ] = None,
    ) -> None:
        host, _, port = (address or "").rpartition(":")
        if address not in (None, AUTO) and ("/" in host or not host or not port.isdecimal()):
            raise InputError(f"address must be 'HOST:PORT' or 'auto', not {address!r}")
        self._address = address
        self._jobs = jobs
        self._cpus = cpus
        self._gpus = gpus
        self._room = 0
        self._looked = -LOOK_SECONDS

    @property
    def jobs(self) -> int:
        """How many trials run at once; the nodes that there are now decide it, unless it is given.

        Raises:
            RunError: the cluster cannot be reached, or no node of it can hold a trial.
        """
        self._look()
        return self._jobs or self._room

    def start(self, task: TrialTask) -> "RayJob":
        """Hand a trial to the cluster, which starts it as soon as a node has room.

        Raises:
            RunError: the cluster cannot be reached, no node can hold a trial, or the log cannot be written.
        """
        self._look()
        from ganfw_ray.job import RayJob

        variables = {name: value for name, value in os.environ.items() if name.startswith("GANFW_")}
        variables["OMP_NUM_THREADS"] = str(self._cpus)
        gpus = self._gpus or 0.0
        if not gpus:
            variables["CUDA_VISIBLE_DEVICES"] = ""
        return RayJob(task, {"num_cpus": self._cpus, "num_gpus": gpus}, variables)

    def _look(self) -> None:
        """Connect with the cluster, and see how many trials it has room for, if it is time."""
        if time.monotonic() < self._looked + LOOK_SECONDS:
            return
        os.environ |= QUIET  # before the first import of Ray
        from ganfw_ray.cluster import capacities, connect

        connect(self._address)
        nodes = capacities()
        if self._gpus is None:
            self._gpus = 1.0 if any(node.get("GPU", 0) >= 1 for node in nodes) else 0.0
        room = sum(_room(node, self._cpus, self._gpus) for node in nodes)
        if not room and not self._room:
            gpus = f" and {self._gpus:g} GPUs" if self._gpus else ""
            raise RunError(f"no node of the Ray cluster has room for a trial with {self._cpus} CPUs{gpus}")
        self._room = max(room, 1)  # a trial that waits for a node to come back
        self._looked = time.monotonic()


def _room(node: dict[str, float], cpus: int, gpus: float) -> int:
    """Return how many trials a node can hold."""
    by_cpus = int(node.get("CPU", 0) // cpus)
    if not gpus:
        return by_cpus
    by_gpus = int(node.get("GPU", 0)) * int(1 / gpus)  # a GPU is shared, but not a trial between two
    return min(by_cpus, by_gpus)
