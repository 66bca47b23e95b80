"""What is printed: blanked, laid out, and coloured only where that is wanted."""

import os
import pty
import struct
import sys
from collections.abc import Iterator
from typing import TextIO

import pytest
import torch

from ganfw import terminal_preview, terminal_table
from ganfw.terminal import blank, prints_aside, say

if sys.platform == "win32":
    pytest.skip("needs pseudo-terminals", allow_module_level=True)

import fcntl
import termios

ROWS = [
    ("part", "ms/step", "share", "most of it"),
    ("matrix products", "0.123", "12.3%", "addmm 0.08, mm 0.02, linear 0.01"),
    ("optimizer", "10.000", "87.7%", ""),
]


@pytest.fixture(params=[40, 80])
def terminal(request: pytest.FixtureRequest) -> Iterator[tuple[int, TextIO]]:
    """Return the width of a terminal and a stream to it."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, request.param, 0, 0))
    with os.fdopen(follower, "w") as stream:
        yield request.param, stream
    os.close(leader)


@pytest.mark.parametrize(
    "character", ["\x1b", "\x9b", "\x00", "\x07", "\r", "\t", "\x7f", "\u202e", "\u2066", "\u200f", "\u2028", "\udc80"]
)
def test_what_a_terminal_obeys_is_blanked(character: str) -> None:
    assert blank(f"a{character}[31mb\nc") == "a [31mb\nc"


def test_other_characters_stay() -> None:
    assert blank("naïve → ▂▇ 変換 é\n") == "naïve → ▂▇ 変換 é\n"


def test_a_preview_keeps_its_colours_and_nothing_else_does() -> None:
    picture = terminal_preview(torch.rand(2, 1, 8, 8), columns=40)

    assert blank(f"{picture}\n\x1b[1mx{picture}") == f"{picture}\n [1mx{picture}"
    assert "\x1b" not in blank(picture.replace("▀", "x"))


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_preview_where_no_colours_are_wanted(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)

    assert terminal_preview(torch.rand(2, 1, 8, 8), columns=40) == ""


def test_a_table_has_text_to_the_left_and_numbers_to_the_right() -> None:
    assert terminal_table(ROWS) == (
        "  part             ms/step  share  most of it\n"
        "  matrix products    0.123  12.3%  addmm 0.08, mm 0.02, linear 0.01\n"
        "  optimizer         10.000  87.7%"
    )
    assert terminal_table([("value",), ("-",), ("1e-05",), ("▁▂",), ("12,345",)]).splitlines()[1:] == [
        "       -",
        "   1e-05",
        "      ▁▂",
        "  12,345",
    ]
    assert terminal_table([("a", "bb"), ("ccc", "")]) == "  a    bb\n  ccc"
    assert terminal_table([("version",), ("0.1.0",), ("none",)]) == "  version\n  0.1.0\n  none"
    assert terminal_table([]) == ""


def test_a_table_fits_the_terminal_and_loses_no_word(terminal: tuple[int, TextIO]) -> None:
    columns, stream = terminal

    lines = terminal_table(ROWS, stream).splitlines()

    assert max(map(len, lines)) <= columns
    words = " ".join(lines).split()
    assert sorted(words) == sorted(" ".join(map(" ".join, ROWS)).split())


def test_words_are_cut_only_where_nothing_else_helps(terminal: tuple[int, TextIO]) -> None:
    columns, stream = terminal

    lines = terminal_table([("q" * 50, "some text"), ("y", "other text")], stream).splitlines()

    assert max(map(len, lines)) <= columns
    assert "".join(lines).count("q") == 50


def test_style_is_left_out_where_no_colours_are_wanted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)

    say("head \x1b[5m", bold=True)
    monkeypatch.setenv("NO_COLOR", "1")
    say("head", bold=True)

    assert capsys.readouterr().out == "\x1b[1mhead  [5m\x1b[0m\nhead\n"


def test_prints_go_aside_and_results_do_not(capsys: pytest.CaptureFixture[str]) -> None:
    with prints_aside() as aside:
        say("a result")
        assert not aside.written
        print("chatter")
        with prints_aside():
            say("another")

    assert aside.written
    assert capsys.readouterr() == ("a result\nanother\n", "chatter\n")
