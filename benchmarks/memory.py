"""Resident memory of a process."""

import math
from pathlib import Path


def resident_mib(process: int | str = "self", *, peak: bool = False) -> float:
    """Return the memory that a process has, or had at its peak, in MiB; not a number where the system is not Linux."""
    status = Path("/proc") / str(process) / "status"
    if not status.exists():
        return math.nan
    values = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(values["VmHWM" if peak else "VmRSS"].split()[0]) / 1024
