"""Reading `eval/`, damaged or not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ganfw.report.evaluations import Result, read_evaluations

Write = Callable[..., None]


def read(run: Path) -> tuple[list[str], list[str]]:
    problems: list[str] = []
    found = read_evaluations((run / "eval").iterdir(), problems.append)
    return [f"{each.step} {each.variant}".strip() for each in found], problems


def test_results_are_read_with_floors_and_reasons(tmp_path: Path, write_evaluation: Write) -> None:
    write_evaluation(tmp_path, "step-000010")
    (evaluation,) = read_evaluations((tmp_path / "eval").iterdir(), pytest.fail)

    assert evaluation.results["frechet_distance"] == Result(312.4, (), "lower", 1.7)
    assert evaluation.results["recall"] == Result(None, (), "higher", 0.87, reason="fewer samples than neighbours")
    assert evaluation.results["class_histogram"] == Result(None, (0.25, 0.75), "", None, (0.5, 0.5))
    assert dict(evaluation.facts) == {
        "samples": "1,000",
        "seed": "0",
        "judged against": "10,000 mnist test",
        "features": "mnist_classifier, 64 dimensions",
        "identity of the features": "mnist_classifier sha256:cd",
        "checkpoint": "step-000010",
        "device": "cpu",
        "took": "12.3 s",
    }


def test_evaluations_are_sorted_by_step_not_by_name(tmp_path: Path, write_evaluation: Write) -> None:
    for name in ("step-1000000", "step-999999", "step-999999-truncation-0.5"):
        write_evaluation(tmp_path, name)
    (tmp_path / "eval" / "notes.json").write_text("{}")

    assert read(tmp_path) == (["999999", "999999 truncation-0.5", "1000000"], [])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "no JSON object"),
        ('{"format": 2}', "no evaluation of format 1"),
        ('{"format": 1}', "holds no metrics"),
        ('{"format": 1, "metrics": {"recall": 1}}', "holds no metrics"),
        ('{"format": 1, "points": {}}', "holds no points"),
        (" " * ((4 << 20) + 1), "larger than 4194304 bytes"),
    ],
    ids=["empty", "deep", "array", "future", "nothing", "number", "no points", "large"],
)
def test_a_damaged_evaluation_is_told_and_left_out(
    tmp_path: Path, write_evaluation: Write, content: str, problem: str
) -> None:
    write_evaluation(tmp_path, "step-000005")
    path = tmp_path / "eval" / "step-000010.json"
    path.write_text(content)

    assert read(tmp_path) == (["5"], [f"{path}: {problem}"])
