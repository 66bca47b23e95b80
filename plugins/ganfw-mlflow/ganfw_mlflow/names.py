"""Settings and metrics as MLflow takes them."""

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

MAX_NAME = 250
MAX_VALUE = 500
"""Characters that every store takes; some take more."""


def metric_name(name: str) -> str:
    """Return the name of a metric or a parameter in the characters that MLflow allows: `"loss/generator"` as it is."""
    allowed = re.sub(r"[^\w./ -]", "_", name)
    return posixpath.normpath(allowed).lstrip("./")[:MAX_NAME] or "_"


def parameters(tables: Mapping[str, Any]) -> dict[str, str]:
    """Return the values in tables within tables, by their dotted keys: `{"generator.hidden_dim": "128"}`."""
    return {metric_name(key): _text(value)[:MAX_VALUE] for key, value in _leaves(tables)}


def _leaves(tables: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tables.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
