"""Read what W&B has written offline: a log of records in the form of LevelDB's, after a header of seven bytes."""

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import define, field
from wandb.proto.wandb_internal_pb2 import Record

_HEADER = 7
_BLOCK = 32768
_FULL, _LAST = 1, 4
_PATIENCE_SECONDS = 30.0


@define
class OfflineRun:
    """One file of an offline run.

    Attributes:
        run_id: of the W&B run.
        project: of the W&B run.
        config: by key.
        history: the values of each record of history, in their order.
        summary: by key, what was set by name.
        artifacts: names of artifacts.
        exit_code: how the run ended; None where it did not.
    """

    run_id: str = ""
    project: str = ""
    config: dict[str, Any] = field(factory=dict)
    history: list[dict[str, Any]] = field(factory=list)
    summary: dict[str, Any] = field(factory=dict)
    artifacts: list[str] = field(factory=list)
    exit_code: int | None = None

    def points(self, *leaving_out: str) -> dict[str, list[tuple[int, Any]]]:
        """Return the steps and values of each key but those of time."""
        found: dict[str, list[tuple[int, Any]]] = {}
        for values in self.history:
            for name, value in values.items():
                if not name.startswith("_") and name not in leaving_out:
                    found.setdefault(name, []).append((values["_step"], value))
        return found


def read_offline(directory: Path) -> OfflineRun:
    """Read the newest offline run in a run directory, once W&B's service has written its end."""
    newest = max((directory / "wandb").glob("offline-run-*"))
    path = next(newest.glob("*.wandb"))
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (found := _read(path)).exit_code is None:
        assert time.monotonic() < deadline, f"{path} has no end"
        time.sleep(0.05)
    return found


def _read(path: Path) -> OfflineRun:
    found = OfflineRun()
    for record in _records(path):
        match record.WhichOneof("record_type"):
            case "run":
                found.run_id, found.project = record.run.run_id, record.run.project
                found.config |= _values(record.run.config.update)
            case "config":
                found.config |= _values(record.config.update)
            case "history":
                found.history.append(_values(record.history.item))
            case "summary":
                found.summary |= _values(record.summary.update)
            case "artifact":
                found.artifacts.append(record.artifact.name)
            case "request" if record.request.WhichOneof("request_type") == "log_artifact":
                found.artifacts.append(record.request.log_artifact.artifact.name)
            case "exit":
                found.exit_code = record.exit.exit_code
    return found


def _values(items: Any) -> dict[str, Any]:
    """Return items by key; of a key within keys, those of a picture, the first key with a table."""
    found: dict[str, Any] = {}
    for item in items:
        first, *rest = item.nested_key or [item.key]
        value = json.loads(item.value_json)
        if rest:
            found.setdefault(first, {})[rest[0]] = value
        else:
            found[first] = value
    return found


def _records(path: Path) -> Iterator[Record]:
    content, at, whole = path.read_bytes(), _HEADER, b""
    while at + 7 <= len(content):
        if (room := _BLOCK - at % _BLOCK) < 7:
            at += room
            continue
        _, length, kind = struct.unpack("<IHB", content[at : at + 7])
        whole += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (_FULL, _LAST):
            yield Record.FromString(whole)
            whole = b""
