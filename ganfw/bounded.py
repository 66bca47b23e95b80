"""Read a file that anyone may have put there: an ordinary one, of bounded size."""

import stat
from pathlib import Path

from ganfw.errors import RunError


def read_bounded(path: Path, limit: int) -> bytes:
    """Read an ordinary file of at most `limit` bytes.

    Raises:
        RunError: it is missing, unreadable, larger, or no ordinary file.
    """
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            raise RunError(f"{path}: no ordinary file")
        if found.st_size > limit:
            raise RunError(f"{path}: larger than {limit} bytes")
        with path.open("rb") as file:
            return file.read(found.st_size)
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from None
