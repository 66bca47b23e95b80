"""How settings and results are written for people."""

from collections.abc import Iterable
from typing import Any

from ganfw.report.axis import DASH, shown


def plain(value: Any) -> Any:
    """Return a setting without the package in the name of a built-in part."""
    return value.removeprefix("ganfw:") if isinstance(value, str) else value


def show_value(value: Any) -> str:
    """Write a setting or a result for people: numbers with four digits, parts by their names, a dash for none."""
    if isinstance(value, float):
        return shown(value) if abs(value) >= 1e-3 or value == 0 else f"{value:.4g}"
    if isinstance(value, bool):
        return str(value).lower()
    return DASH if value is None else str(list(value) if isinstance(value, tuple) else plain(value))


def short_names(keys: Iterable[str]) -> dict[str, str]:
    """Call each key by as few of its last words as make it unique: `"lr"`; a part by its table: `"loss"`."""
    words = {key: [word for word in key.split(".") if word != "*"] for key in keys}
    words = {key: each[:-1] if each[-1] == "use" and len(each) > 1 else each for key, each in words.items()}

    def shortest(key: str) -> str:
        endings = (words[key][-length:] for length in range(1, len(words[key]) + 1))
        others = [words[other] for other in words if other != key]
        unique = (each for each in endings if all(other[-len(each) :] != each for other in others))
        return ".".join(next(unique, [key]))

    return {key: shortest(key) for key in words}
