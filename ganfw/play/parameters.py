"""The parameters of a request: each may be given once, and is checked before anything is done with it."""

import re
from collections.abc import Sequence
from urllib.parse import parse_qsl

from ganfw.errors import InputError, did_you_mean

MAX_QUERY_BYTES = 4096
MAX_PARAMETERS = 16
MAX_SEED = 2**53 - 1
"""Larger numbers are not exact in JavaScript."""
_INTEGER = re.compile(r"[0-9]{1,16}")
_NUMBER = re.compile(r"-?[0-9]{1,6}(\.[0-9]{1,17})?")


class Parameters:
    """What stands behind the `?` of an address. Each parameter is taken once; `finish` refuses those that are left."""

    def __init__(self, query: bytes) -> None:
        if len(query) > MAX_QUERY_BYTES:
            raise InputError(f"the request must be at most {MAX_QUERY_BYTES} bytes long")
        try:
            pairs = parse_qsl(
                query.decode("ascii"),
                keep_blank_values=True,
                strict_parsing=bool(query),
                errors="strict",
                max_num_fields=MAX_PARAMETERS,
            )
        except ValueError:
            raise InputError(f"the request must be at most {MAX_PARAMETERS} pairs name=value") from None
        self._left = dict(pairs)
        self._taken: list[str] = []
        if len(self._left) < len(pairs):
            raise InputError("the request must name each parameter once")

    def text(self, name: str, default: str = "") -> str:
        """Return a parameter as it is written."""
        self._taken.append(name)
        return self._left.pop(name, default)

    def choice(self, name: str, choices: Sequence[str]) -> str:
        """Return a parameter that must be one of `choices`.

        Raises:
            InputError: it is missing or another.
        """
        word = self.text(name)
        if word not in choices:
            raise InputError(f"{name} must be one of {', '.join(choices)}")
        return word

    def integer(self, name: str, least: int, most: int) -> int:
        """Return an integer from `least` to `most`.

        Raises:
            InputError: it is missing or out of range.
        """
        return integer(name, self.text(name), least, most)

    def optional_integer(self, name: str, most: int) -> int | None:
        """Return an integer from 0 to `most`, or None where the parameter is missing.

        Raises:
            InputError: it is out of range.
        """
        word = self.text(name)
        return integer(name, word, 0, most) if word else None

    def number(self, name: str, least: float, most: float) -> float:
        """Return a number from `least` to `most`.

        Raises:
            InputError: it is missing or out of range.
        """
        return number(name, self.text(name), least, most)

    def optional_number(self, name: str, least: float, most: float) -> float | None:
        """Return a number from `least` to `most`, or None where the parameter is missing.

        Raises:
            InputError: it is out of range.
        """
        word = self.text(name)
        return number(name, word, least, most) if word else None

    def finish(self) -> None:
        """Refuse parameters that nobody has taken.

        Raises:
            InputError: a parameter is unknown.
        """
        for name in self._left:
            hint = did_you_mean(name[:40], self._taken)
            raise InputError(f"unknown parameter {name[:40]!r}; {hint or 'there are ' + ', '.join(self._taken)}")


def integer(name: str, word: str, least: int, most: int) -> int:
    """Return the integer that `word` is, from `least` to `most`.

    Raises:
        InputError: it is not a number of this kind, or out of range.
    """
    if not _INTEGER.fullmatch(word) or not least <= int(word) <= most:
        raise InputError(f"{name} must be an integer from {least} to {most}")
    return int(word)


def number(name: str, word: str, least: float, most: float) -> float:
    """Return the number that `word` is, from `least` to `most`.

    Raises:
        InputError: it is not a number of this kind, or out of range.
    """
    if not _NUMBER.fullmatch(word) or not least <= float(word) <= most:
        raise InputError(f"{name} must be a number from {least:g} to {most:g}")
    return float(word)
