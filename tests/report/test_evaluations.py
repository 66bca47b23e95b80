"""Reading `eval/`, damaged or not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ganfw.report.evaluations import Score, read_evaluations

Write = Callable[..., None]


def read(run: Path) -> tuple[list[str], list[str]]:
    problems: list[str] = []
    found = read_evaluations((run / "eval").iterdir(), problems)
    return [f"{each.step} {each.variant}".strip() for each in found], problems


def test_scores_are_read_with_those_of_real_data_and_reasons(tmp_path: Path, write_evaluation: Write) -> None:
    write_evaluation(tmp_path, "step-000010")
    problems: list[str] = []
    (evaluation,) = read_evaluations((tmp_path / "eval").iterdir(), problems)
    assert problems == []

    assert evaluation.scores["frechet_distance"] == Score(312.4, (), "lower", 1.7)
    assert evaluation.scores["recall"] == Score(None, (), "higher", 0.87, reason="fewer samples than neighbours")
    assert evaluation.scores["class_histogram"] == Score(None, (0.25, 0.75), "", None, (0.5, 0.5))
    assert dict(evaluation.details) == {
        "count": "1000",
        "seed": "0",
        "averaged": "no",
        "reference data": "mnist",
        "reference split": "test",
        "reference count": "10000",
        "embedding name": "mnist_classifier",
        "embedding identity": "mnist_classifier sha256:cd",
        "checkpoint": "step-000010",
        "device": "cpu",
        "seconds": "12.34",
    }


def test_evaluations_are_sorted_by_step_not_by_name(tmp_path: Path, write_evaluation: Write) -> None:
    for name in ("step-1000000", "step-999999", "step-999999-truncation-0.5"):
        write_evaluation(tmp_path, name)
    (tmp_path / "eval" / "notes.json").write_text("{}")

    assert read(tmp_path) == (["999999", "999999 truncation-0.5", "1000000"], [])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a JSON object"),
        ('{"format": 2}', "not an evaluation of format 1"),
        ('{"format": 1}', "holds no metrics"),
        ('{"format": 1, "metrics": {"recall": 1}}', "holds no metrics"),
        ('{"format": 1, "points": {}}', "holds no points"),
        ('{"format": 1, "points": []}', "holds no points"),
        (" " * ((16 << 20) + 1), "larger than 16777216 bytes"),
    ],
    ids=["empty", "deep", "array", "future", "nothing", "number", "no points", "empty curve", "large"],
)
def test_a_damaged_evaluation_is_named_and_left_out(
    tmp_path: Path, write_evaluation: Write, content: str, problem: str
) -> None:
    write_evaluation(tmp_path, "step-000005")
    path = tmp_path / "eval" / "step-000010.json"
    path.write_text(content)

    assert read(tmp_path) == (["5"], [f"{path}: {problem}"])
