"""Touch a disk safely: write whole files or none, read only ordinary files of bounded size, lock a folder."""

import contextlib
import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from io import BufferedReader
from pathlib import Path

from filelock import FileLock, Timeout

from ganfw.errors import RunError

LOCK = ".lock"
"""The file in a folder by which a process holds it."""


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name on the same file system, flush it to disk, and rename it.

    A reader, or a crash, never meets half of a file. The folder of the file is made, but no folder above it: a run
    directory that was moved away does not come back as half of one. Modes follow the umask.

    Raises:
        RunError: the system refuses; nothing is left of the attempt, and what was there before stays.
    """
    temporary = temporary_name(path)
    try:
        path.parent.mkdir(exist_ok=True)
        try:
            write_flushed(temporary, content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror}") from error


def write_folder(path: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Write files into a new folder, or one that is empty: all of them, or none.

    Raises:
        RunError: the system refuses, or the folder has something in it; nothing is left of the attempt.
    """
    temporary = temporary_name(path)
    try:
        temporary.mkdir()
        try:
            for name, content in files:
                (temporary / name).write_bytes(content)
            if path.is_dir():
                path.rmdir()
            temporary.rename(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror}") from error


def temporary_name(path: Path) -> Path:
    """Return where `write_atomically` writes before it renames."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def write_flushed(path: Path, content: bytes) -> None:
    """Write a file, and wait until its content is on the disk.

    Raises:
        OSError: the system refuses.
    """
    with path.open("wb") as file:
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
        RunError: it is missing, unreadable, larger, or not an ordinary file.
    """
    with opened(path, limit) as (file, size):
        return file.read(size)


def sha256_of_file(path: Path, limit: int) -> str:
    """Return the SHA-256 of such a file, in hexadecimal, without holding it in memory.

    Raises:
        RunError: as `read_bounded`.
    """
    with opened(path, limit) as (file, _):
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def opened(path: Path, limit: int) -> Iterator[tuple[BufferedReader, int]]:
    """Open an ordinary file of at most `limit` bytes for a block, and return it with its size.

    Raises:
        RunError: as `read_bounded`.
    """
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            raise RunError(f"{path}: not an ordinary file")
        if found.st_size > limit:
            raise RunError(f"{path}: larger than {limit} bytes")
        with path.open("rb") as file:
            yield file, found.st_size
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from None


def sha256(content: bytes) -> str:
    """Return the SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def expanded(path: str | Path) -> Path:
    """Return a path with `~` and `~user` replaced by the folder that they mean, or as it is where there is none."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def number_in_name(number: float) -> str:
    """Write a number for the name of a file, another for each number: `"1"`, `"0.25"`."""
    return repr(float(number)).removesuffix(".0")


def is_folder(path: Path) -> bool:
    """Whether there is a folder; at a path that the system refuses, such as one that is too long, there is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def is_locked(folder: Path) -> bool:
    """Whether a process holds a run directory now."""
    if (folder / LOCK).is_symlink() or not (folder / LOCK).is_file():
        return False
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # it is another's, who lets nobody write
        return False
    lock.release()
    return False


@contextlib.contextmanager
def locked(folder: Path, held: str = "another process is training this run", *, seconds: float = 0.2) -> Iterator[None]:
    """Hold a run directory for the time of a block; this process may hold it several times.

    The lock ends with its process, however that ends.

    Args:
        folder: what to hold.
        held: what an error says if another process holds it.
        seconds: how long to wait until it is free; `is_locked` holds it for a moment.

    Raises:
        RunError: another process holds it, or the folder does not exist or cannot be written.
    """
    if not is_folder(folder):
        raise RunError(f"{folder}: no such run directory; see: ganfw runs")
    lock = FileLock(folder / LOCK, is_singleton=True)
    try:
        lock.acquire(timeout=seconds)
    except Timeout:
        raise RunError(f"{folder}: {held}") from None
    except OSError as error:
        raise RunError(f"{folder}: cannot be locked: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()
