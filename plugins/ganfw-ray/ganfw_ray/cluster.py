"""Reach a Ray cluster, or start one on this machine, without a word of Ray's on the terminal."""

import re
import signal
import socket
import subprocess
import sys
from typing import Any

import ray

from ganfw import RunError
from ganfw_ray.launcher import AUTO

SECONDS_TO_ANSWER = 7
"""How long a cluster may take to answer."""
_QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
_PROBE = "import sys, ray; ray.init(address=sys.argv[1], log_to_driver=False)"
"""Ray itself tries for minutes to reach a cluster, prints warnings, and may abort the process."""


def connect(address: str | None) -> None:
    """Connect this process with a cluster, if it has no connection yet. It ends with the process.

    Args:
        address: `"HOST:PORT"`; `"auto"` for the cluster that this machine belongs to; None to start one here.

    Raises:
        RunError: no cluster answers there, or none can be started here.
    """
    if ray.is_initialized():
        return
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        if address is None:
            ray.init(address="local", include_dashboard=False, **_QUIET)
        else:
            _check(address)
            ray.init(address=address, **_QUIET)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        where = "no Ray cluster can be started here" if address is None else f"the Ray cluster at {address} is refused"
        raise RunError(f"{where}: {_line(str(error))}") from error
    finally:
        signal.signal(signal.SIGTERM, on_sigterm)  # Ray's handler would end the sweep without a checkpoint


def capacities() -> list[dict[str, float]]:
    """Return the resources of each node, by Ray's names: `"CPU"`, `"GPU"`."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _check(address: str) -> None:
    """Make sure that a cluster answers.

    Raises:
        RunError: none does.
    """
    if address != AUTO:
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), SECONDS_TO_ANSWER).close()
        except OSError as error:
            raise _no_answer(address, error.strerror or str(error)) from None
    try:
        subprocess.run(
            [sys.executable, "-P", "-c", _PROBE, address], capture_output=True, timeout=SECONDS_TO_ANSWER, check=True
        )
    except subprocess.TimeoutExpired as error:
        if b"token" in (error.stderr or b"").lower():
            raise RunError(
                f"launcher.address: the Ray cluster at {address} asks for a token; set RAY_AUTH_MODE=token in the "
                "environment, and have the cluster's token in ~/.ray/auth_token"
            ) from None
        raise _no_answer(address, f"nothing within {SECONDS_TO_ANSWER} s") from None
    except subprocess.CalledProcessError as error:
        raise _no_answer(address, _line(error.stderr.decode(errors="replace").strip().rpartition("\n")[2])) from None


def _no_answer(address: str, reason: str) -> RunError:
    if address == AUTO:
        where, start = "on this machine", "ray start --head"
    else:
        where, start = f"at {address}", f"ray start --head --port={address.rpartition(':')[2]}"
    return RunError(
        f"launcher.address: no Ray cluster answers {where}: {reason}; start one with '{start}', or leave the address "
        "out to have one started for this sweep"
    )


def _line(text: str) -> str:
    """Return the first line of what Ray says, without colours or the name of an exception."""
    return re.sub(r"\x1b\[[0-9;]*m|^[\w.]+(Error|Exception): ", "", text).partition("\n")[0]
