"""Write files so that a reader, or a crash, never meets half of one."""

import os
from pathlib import Path

from ganfw.errors import RunError


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name on the same file system, flush it to disk, and rename it.

    The folder it is in is made, but none above: a run directory that was moved away does not come back as half of one.
    Modes follow the umask.

    Raises:
        RunError: the system refuses; nothing is left of the attempt, and what was there before stays.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror}") from error
