"""Touch a disk safely: write whole files or none, read only ordinary files of bounded size, hold a folder alone."""

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from ganfw.errors import RunError


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name on the same file system, flush it to disk, and rename it.

    A reader, or a crash, never meets half of a file. The folder of the file is made, but no folder above it: a run
    directory that was moved away does not come back as half of one. Modes follow the umask.

    Raises:
        RunError: the system refuses; nothing is left of the attempt, and what was there before stays.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(exist_ok=True)
        try:
            write_flushed(temporary, content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror}") from error


def write_flushed(path: Path, content: bytes, *, append: bool = False) -> None:
    """Write a file, or append to it, and wait until the content is on the disk.

    Raises:
        OSError: the system refuses.
    """
    with path.open("ab" if append else "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def flush_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk, where the system can do that.

    Raises:
        OSError: the system refuses.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # Windows cannot open a folder
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_bounded(path: Path, limit: int) -> bytes:
    """Read an ordinary file of at most `limit` bytes, which anyone may have put there.

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


def sha256(content: bytes) -> str:
    """Return the SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a run directory for the time of a block; this process may hold it several times.

    The lock ends with its process, however that ends.

    Raises:
        RunError: another process holds it, or there is no such folder, or it cannot be written.
    """
    if not folder.is_dir():
        raise RunError(f"{folder}: no such run directory")
    lock = FileLock(folder / ".lock", timeout=0, is_singleton=True)
    try:
        lock.acquire()
    except Timeout:
        raise RunError(f"{folder}: another process is training this run") from None
    except OSError as error:
        raise RunError(f"{folder}: cannot be locked: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()
