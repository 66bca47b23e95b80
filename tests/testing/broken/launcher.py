"""Launchers that break their contract."""

from ganfw.builtin.local import Local
from ganfw.testing import launchers


class Deaf(Local):
    """Passes on no request."""

    def start(self, task):
        return super().start(type(task)(task.name, task.command, "", task.log))


class Silent(Local):
    """Keeps no log."""

    def start(self, task):
        return super().start(type(task)(task.name, task.command, task.request, task.log.with_name("other.log")))


class Job:
    """Does what a job does, but for a method."""

    def __init__(self, job, stop, kill):
        self.result, self.stop, self.kill = job.result, stop or job.stop, kill or job.kill


class Impatient(Local):
    """Kills where it should ask."""

    def start(self, task):
        job = super().start(task)
        return Job(job, job.kill, None)


class Merciful(Local):
    """Asks where it should kill."""

    def start(self, task):
        job = super().start(task)
        return Job(job, None, job.stop)


BROKEN = (
    (
        launchers.runs_the_command,
        Deaf,
        "the result should be what the process printed, not (3, 'heard \\n')",
    ),
    (launchers.stops_when_asked, Impatient, "it should end by itself, not with (-9, "),
    (launchers.kills, Merciful, "a killed process should have minus its signal as status, not 0"),
)
