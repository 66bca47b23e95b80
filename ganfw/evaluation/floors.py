"""Floors that were found before: they take as long as judging does, and are the same for every run on the same data.

What is kept is found by the hash of all that it follows from, and compared with its own hash when it is read: what is
damaged, or follows from anything else, is computed again.
"""

import hashlib
import inspect
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from attrs import asdict

from ganfw.evaluation.features import cache_folder
from ganfw.evaluation.inputs import Metric, MetricValue
from ganfw.files import read_bounded, write_atomically

MAX_BYTES = 1 << 20
"""A file of floors larger than this (1 MiB) is none."""


def describe_metrics(metrics: Mapping[str, Metric], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the results of metrics follow from besides inputs: settings, versions, and the code of each.

    Args:
        metrics: by name.
        settings: which parts they are, with which parameters, for JSON.
    """
    sources = {name: _hash(Path(inspect.getfile(type(metric))).read_text()) for name, metric in metrics.items()}
    return {"settings": dict(settings), "sources": sources, "ganfw": version("ganfw"), "torch": torch.__version__}


def read_floor(origin: Mapping[str, Any]) -> dict[str, MetricValue] | None:
    """Return the floor that follows from `origin`, or None where none is kept that can be trusted."""
    try:
        kept = json.loads(read_bounded(_path(origin), MAX_BYTES))
        if kept != _content(origin, kept["floor"]):
            return None
        return {
            name: MetricValue(**{**found, "value": _value(found["value"])}) for name, found in kept["floor"].items()
        }
    except Exception:  # missing, or damaged in any way: it is found again
        return None


def write_floor(origin: Mapping[str, Any], floor: Mapping[str, MetricValue]) -> None:
    """Keep a floor with all that it follows from.

    Raises:
        OSError: the folder cannot be made.
        RunError: the file cannot be written.
    """
    path = _path(origin)
    path.parent.mkdir(parents=True, exist_ok=True)
    found = json.loads(json.dumps({name: asdict(measured) for name, measured in floor.items()}))
    write_atomically(path, json.dumps(_content(origin, found)).encode())


def _content(origin: Mapping[str, Any], floor: Mapping[str, Any]) -> dict[str, Any]:
    return {"of": json.loads(json.dumps(origin)), "floor": floor, "sha256": _hash(json.dumps(floor))}


def _path(origin: Mapping[str, Any]) -> Path:
    return cache_folder() / f"floor-{_hash(json.dumps(origin, sort_keys=True))}.json"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _value(value: Any) -> Any:
    """Give a histogram the type it had before JSON."""
    return tuple(value) if isinstance(value, list) else value
