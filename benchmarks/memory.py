"""Resident memory of a process, its processor time, and the pages that it had to fetch."""

import math
import os
from pathlib import Path

from attrs import frozen


def resident_mib(process: int | str = "self", *, peak: bool = False) -> float:
    """Return the memory that a process has, or had at its peak, in MiB; not a number where the system is not Linux."""
    status = Path("/proc") / str(process) / "status"
    if not status.exists():
        return math.nan
    values = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(values["VmHWM" if peak else "VmRSS"].split()[0]) / 1024


@frozen
class Usage:
    """What a process has used so far, in all its threads.

    Attributes:
        processor_seconds: in user code and in the system.
        minor_faults: page faults that only map a page.
        major_faults: page faults that read a disk.
    """

    processor_seconds: float
    minor_faults: float
    major_faults: float

    def since(self, earlier: "Usage", steps: int) -> "Usage":
        """Return what was used from an earlier time on, a step."""
        return Usage(
            (self.processor_seconds - earlier.processor_seconds) / steps,
            (self.minor_faults - earlier.minor_faults) / steps,
            (self.major_faults - earlier.major_faults) / steps,
        )


def usage_of(process: int | str = "self") -> Usage:
    """Return what a process has used; not numbers where the system is not Linux."""
    stat = Path("/proc") / str(process) / "stat"
    if not stat.exists():
        return Usage(math.nan, math.nan, math.nan)
    fields = stat.read_text().rpartition(")")[2].split()  # from the third on: see proc_pid_stat(5)
    ticks = int(fields[11]) + int(fields[12])
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), int(fields[7]), int(fields[9]))
