"""Reading `metrics.jsonl`, damaged or not."""

import json
from pathlib import Path

import pytest

from ganfw import RunError
from ganfw.report.curves import Curves, read_curves


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


def line(step: int, **values: object) -> str:
    return json.dumps({"step": step, "epoch": 1, "images": step * 32, "seconds": step / 10, **values}) + "\n"


def test_values_and_warnings_are_gathered(path: Path) -> None:
    path.write_text(line(4, **{"loss/generator": 0.5}) + line(8, warnings=["collapse"], **{"loss/generator": None}))
    problems: list[str] = []

    assert read_curves(path, problems) == Curves(
        step=8,
        epoch=1,
        images=256,
        seconds=0.8,
        values={"loss/generator": ((4.0, 0.5), (8.0, None))},
        warnings={"collapse": (8,)},
    )
    assert problems == []


def test_a_line_that_is_being_written_is_no_damage(path: Path) -> None:
    path.write_text(line(4) + '{"step": 8, "ep')
    problems: list[str] = []

    assert read_curves(path, problems).step == 4
    assert problems == []


def test_damaged_lines_are_named_and_left_out(path: Path) -> None:
    path.write_text(line(4) + "nonsense\n" + line(4) + '{"step": true}\n' + "[" * 100_000 + "\n" + line(8))
    problems: list[str] = []

    assert read_curves(path, problems).step == 8
    assert problems == [f"{path}: 4 of 6 lines cannot be read, the first is line 2"]


def test_an_empty_file_has_no_curves(path: Path) -> None:
    problems: list[str] = []
    path.touch()
    assert read_curves(path, problems) == Curves()
    assert problems == []


def test_numbers_that_cannot_be_drawn_are_no_values(path: Path) -> None:
    path.write_text(f'{{"step": 1, "a": NaN, "b": 1e999, "c": {"9" * 400}, "d": "x", "e": 1e-300}}\n')

    values = read_curves(path, []).values
    assert values == {**dict.fromkeys("abcd", ((1.0, None),)), "e": ((1.0, 0.0),)}


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text(line(4))
    path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(RunError) as caught:
        read_curves(path, [])
    assert str(caught.value) == f"{path}: not an ordinary file"


def test_of_too_many_values_the_first_are_shown(path: Path) -> None:
    path.write_text(line(4, **{f"v{number:03}": 1.0 for number in range(101)}))
    problems: list[str] = []

    assert list(read_curves(path, problems).values)[-1] == "v099"
    assert problems == [f"{path}: 101 named values; the first 100 are shown"]
