"""Floors are kept with all they follow from, and trusted only if nothing of it has changed."""

import json
from pathlib import Path
from typing import Any

import pytest

from ganfw import MetricValue
from ganfw.evaluation.floors import describe_metrics, read_floor, write_floor

ORIGIN: dict[str, Any] = {"training": "aa", "embedding": "pixels side:14", "count": 10, "seed": 0}
FLOOR = {
    "frechet_distance": MetricValue(1.5, "lower"),
    "class_histogram": MetricValue((0.25, 0.75)),
    "recall": MetricValue(None, "higher", "too few samples"),
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GANFW_CACHE", str(tmp_path))
    return tmp_path


def test_a_floor_comes_back_as_it_was_found() -> None:
    write_floor(ORIGIN, FLOOR)

    assert read_floor(ORIGIN) == FLOOR


@pytest.mark.parametrize("changed", [{"seed": 1}, {"embedding": "pixels side:7"}, {"training": "ab"}, {"more": None}])
def test_a_floor_of_anything_else_is_not_found(changed: dict[str, Any]) -> None:
    write_floor(ORIGIN, FLOOR)

    assert read_floor({**ORIGIN, **changed}) is None


def test_a_damaged_file_is_no_floor(cache: Path) -> None:
    write_floor(ORIGIN, FLOOR)
    (path,) = cache.rglob("floor-*.json")
    content = path.read_text()
    forged = json.loads(content)
    forged["floor"]["frechet_distance"]["value"] = 0.5
    for damaged in (content[:-10], content.replace("1.5", "0.5"), json.dumps(forged), "[]", ""):
        path.write_text(damaged)
        assert read_floor(ORIGIN) is None


def test_what_metrics_are_is_told_by_their_code_and_settings() -> None:
    class Other:
        def __call__(self, inputs: Any) -> dict[str, MetricValue]:
            return {}

    described = describe_metrics({"mine": Other()}, {"mine": ["ganfw-x:mine", "1.0", {}]})

    assert described["settings"] == {"mine": ["ganfw-x:mine", "1.0", {}]}
    assert len(described["sources"]["mine"]) == 64
    assert described != describe_metrics({"mine": Other()}, {"mine": ["ganfw-x:mine", "1.1", {}]})
