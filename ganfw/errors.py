"""Errors a user can fix. Each is one clear message (what, where, what to do), shown without a traceback.

Anything that is not a `GanfwError` is a programming error and keeps its traceback.
"""

import difflib
from collections.abc import Iterable


class GanfwError(Exception):
    """Base of every error a user can fix; the command line prints it and exits with status 2."""


class InputError(GanfwError, ValueError):
    """An argument is outside its range."""


class PluginError(GanfwError):
    """A plugin could not be loaded, or what it offers is not usable."""


class PartError(GanfwError):
    """A part is missing, ambiguous, cannot be imported, or breaks the contract of its kind."""


class RecipeError(GanfwError):
    """A recipe cannot be read or asks for something that does not exist; the message lists every problem."""


class DataError(GanfwError):
    """Data files are missing or are not what they should be."""


class TrainingError(GanfwError):
    """Training went wrong: a value is not finite."""


class RunError(GanfwError):
    """A run directory or checkpoint cannot be written, found or read."""


class PartFailure(Exception):  # noqa: N818 - an error of the part, which is its cause
    """A part raised an exception because its code is wrong; the cause of this error is that exception."""


_TOO_LARGE = (
    "can't allocate",
    "cannot be represented",
    "negative dimension",
    "out of memory",
    "overflow",
    "too large",
)
"""What torch says of sizes that no machine has room for."""


def size_problem(error: BaseException) -> str | None:
    """Return in a line what an error says about too little memory or too large sizes; None for another error."""
    text = f"{type(error).__name__}: {error}".partition("\n")[0]
    is_of_size = isinstance(error, MemoryError | OverflowError) or any(word in text.lower() for word in _TOO_LARGE)
    return text[:150] if is_of_size else None


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """Return `"did you mean 'a' or 'b'?"` for the at most three options nearest to `word`, or `""`."""
    near = difflib.get_close_matches(word, sorted(set(options)), n=3, cutoff=0.6)
    return f"did you mean {' or '.join(map(repr, near))}?" if near else ""
