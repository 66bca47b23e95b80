import os
from pathlib import Path

import pytest

from ganfw import RunError, write_atomically


def test_file_is_replaced_whole_and_nothing_is_left_over(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    write_atomically(path, b"old")
    write_atomically(path, b"new")

    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_is_gone_does_not_come_back(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "samples" / "file"

    with pytest.raises(RunError) as caught:
        write_atomically(path, b"new")
    assert str(caught.value) == f"{path}: cannot be written: No such file or directory"
    assert list(tmp_path.iterdir()) == []


def test_modes_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "file", b"")
    finally:
        os.umask(before)

    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_a_refused_write_is_told_and_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    path = tmp_path / "taken"

    with pytest.raises(RunError) as caught:
        write_atomically(path, b"new")
    assert str(caught.value) == f"{path}: cannot be written: Is a directory"
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken"]
