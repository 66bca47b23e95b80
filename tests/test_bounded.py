import os
from pathlib import Path

import pytest

from ganfw import RunError
from ganfw.bounded import read_bounded


def test_a_file_up_to_the_limit_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1234")

    assert read_bounded(tmp_path / "file", 4) == b"1234"


def test_a_larger_file_is_refused_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a hole of a terabyte

    with pytest.raises(RunError) as caught:
        read_bounded(path, 4)
    assert str(caught.value) == f"{path}: larger than 4 bytes"


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "device"])
def test_what_is_no_ordinary_file_is_refused_and_not_waited_for(tmp_path: Path, kind: str) -> None:
    path = Path("/dev/zero") if kind == "device" else tmp_path / kind
    if kind == "link":
        (tmp_path / "file").write_text("text")
        path.symlink_to(tmp_path / "file")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()

    with pytest.raises(RunError) as caught:
        read_bounded(path, 4)
    assert str(caught.value) == f"{path}: no ordinary file"


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        read_bounded(tmp_path / "gone", 4)
    assert str(caught.value) == f"{tmp_path}/gone: cannot be read: No such file or directory"
