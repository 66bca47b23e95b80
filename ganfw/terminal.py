"""Print for people: text that a terminal does not obey, tables that fit it, streams that may be lost."""

import contextlib
import io
import itertools
import os
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO

import click

_PICTURE = re.compile(r"(?:\x1b\[38;5;\d{3};48;5;\d{3}m▀)+\x1b\[0m")
"""A line of `ganfw.terminal_preview`: it colours half blocks and nothing else."""
_NUMBER = re.compile("[-\N{MINUS SIGN}]?" r"[\d,]*\.?\d+(e[+-]?\d+)?%?")
_NARROWEST = 8
"""Characters that a column of a table is left with on the narrowest terminal."""


def blank(text: str) -> str:
    """Replace what a terminal would obey by spaces: escape sequences, C1 controls, changes of the direction of text.

    Newlines stay, and so do the pictures of `ganfw.terminal_preview`.
    """
    kept = iter(_PICTURE.findall(text))
    return "".join(
        "".join(character if character.isprintable() or character == "\n" else " " for character in piece)
        + next(kept, "")
        for piece in _PICTURE.split(text)
    )


def say(text: object = "", *, err: bool = False, **style: Any) -> None:
    """Print a line on standard output, also within `prints_aside`, or on standard error.

    Args:
        text: what to print; what a terminal would obey is blanked.
        err: whether it goes to standard error, where everything goes that is not a result.
        **style: of the line, as `click.style` takes it; left out where it is not wanted.
    """
    line = blank(str(text))
    click.echo(click.style(line, **style) if style and has_colours() else line, file=_stream(err))


def say_table(rows: Iterable[Sequence[str]], *, err: bool = False) -> None:
    """Print a table, if it has rows."""
    if table := terminal_table(rows, _stream(err)):
        say(table, err=err)


def has_colours() -> bool:
    """Whether the user's environment allows colours and bold type."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def terminal_columns(stream: TextIO | None = None) -> int | None:
    """Return the width of the terminal that a stream is, by default standard output; None where it is not one."""
    stream = stream or _stream(err=False)
    try:
        return (os.get_terminal_size(stream.fileno()).columns or None) if stream.isatty() else None
    except (OSError, ValueError):
        return None


def terminal_table(rows: Iterable[Sequence[str]], stream: TextIO | None = None) -> str:
    """Lay rows out in columns, two spaces in from the left, numbers to the right.

    Args:
        rows: cells of one line, as many in each row; the first row may be a head.
        stream: where it will be printed. On a terminal the text of wide columns is wrapped, so that the table fits.

    Returns:
        Lines of text without a newline at the end, `""` for no rows.
    """
    rows = list(rows)
    table = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in table]
    words = [max(map(len, " ".join(column).split()), default=0) for column in table]
    room = terminal_columns(stream) if stream else None
    while room and sum(widths) + 2 * len(widths) > room and max(widths) > _NARROWEST:
        _, _, widest = max(
            (width > word, width, place) for place, (width, word) in enumerate(zip(widths, words, strict=True))
        )
        widths[widest] -= 1
    aligns = [">" if _is_of_numbers(column) else "<" for column in table]
    lines = []
    for row in rows:
        wrapped = [_wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
        for line in itertools.zip_longest(*wrapped, fillvalue="") if any(wrapped) else [("",) * len(row)]:
            cells = zip(line, aligns, widths, strict=True)
            lines.append("".join(f"  {cell:{align}{width}}" for cell, align, width in cells).rstrip())
    return "\n".join(lines)


def _wrap(cell: str, width: int) -> list[str]:
    """Return the lines of a cell; most have one."""
    return textwrap.wrap(cell, width) if width and (len(cell) > width or "\n" in cell) else [cell]


def _is_of_numbers(column: Sequence[str]) -> bool:
    """Whether a column has numbers below its head, and no other words."""
    numbers = [bool(_NUMBER.fullmatch(cell)) for cell in column[1:] if any(map(str.isalnum, cell))]
    return bool(numbers) and all(numbers)


def _stream(err: bool) -> TextIO:
    stream: TextIO = sys.stderr if err else getattr(sys.stdout, "results", sys.stdout)
    return stream


class _Aside:
    """Standard error instead of standard output, which stays at hand as `results`."""

    def __init__(self, results: TextIO) -> None:
        self.results = results
        self.written = False

    def write(self, text: str) -> int:
        self.written = True
        return sys.stderr.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


@contextlib.contextmanager
def prints_aside() -> Iterator[_Aside]:
    """Within the block, let what plugins and parts print go to standard error: standard output is for results.

    Yields:
        What stands in for standard output; its `written` says whether anything was printed.
    """
    with contextlib.redirect_stdout(_Aside(_stream(err=False))) as aside:
        yield aside


class _Surviving(io.RawIOBase):
    """A stream on which text is lost where it cannot be written: a full disk, a terminal that was closed."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw
        self.error: OSError | None = None

    def write(self, data: Any) -> int | None:
        try:
            return self._raw.write(data)
        except OSError as error:
            self.error = error
            return len(data)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._raw.isatty()

    def fileno(self) -> int:
        return self._raw.fileno()


@contextlib.contextmanager
def surviving_streams() -> Iterator[None]:
    """Within the block, an error of standard output or standard error stops nothing.

    Characters that a stream's encoding lacks become `?`. Where the block exits with status 0 and results could not be
    printed, the status becomes 1 and a line on standard error says why, unless the reader of a pipe has had enough.
    """
    while (place := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass  # a file that took the place of a closed stream would be written to as if it were the stream
    os.close(place)
    with contextlib.ExitStack() as stack:
        output = _survive(stack, "stdout", contextlib.redirect_stdout)
        _survive(stack, "stderr", contextlib.redirect_stderr)
        try:
            yield
        except SystemExit as end:
            sys.stdout.flush()
            if end.code or output is None or output.error is None:
                raise
            if not isinstance(output.error, BrokenPipeError):
                say(f"ganfw: standard output cannot be written: {output.error.strerror}", err=True)
            raise SystemExit(1) from None


def _survive(stack: contextlib.ExitStack, name: str, redirect: Any) -> _Surviving | None:
    """Redirect a standard stream to one that survives, unless it is another than the process began with."""
    stream = getattr(sys, name)
    if stream is None:
        stack.enter_context(redirect(stack.enter_context(io.TextIOWrapper(io.FileIO(os.devnull, "w"), "utf-8"))))
        return None
    if stream is not getattr(sys, f"__{name}__"):
        return None
    stream.flush()
    is_buffered = hasattr(stream.buffer, "raw")  # not under PYTHONUNBUFFERED
    surviving = _Surviving(stream.buffer.raw if is_buffered else stream.buffer)
    buffer: Any = io.BufferedWriter(surviving) if is_buffered else surviving
    unbuffered = {"line_buffering": stream.line_buffering, "write_through": stream.write_through}
    text = io.TextIOWrapper(buffer, stream.encoding, "replace", **unbuffered)
    stack.enter_context(redirect(text))
    stack.callback(text.flush)
    return surviving
