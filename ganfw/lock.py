"""Keep two processes from training one run at once."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from ganfw.errors import RunError


@contextlib.contextmanager
def locked(run: Path) -> Iterator[None]:
    """Hold a run directory for the time of a block. The lock dies with its process, however it ends.

    Raises:
        RunError: another process holds it, or there is no such directory, or it cannot be written.
    """
    if not run.is_dir():
        raise RunError(f"{run}: no such run directory")
    lock = FileLock(run / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise RunError(f"{run}: another process is training this run") from None
    except OSError as error:
        raise RunError(f"{run}: cannot be locked: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()
