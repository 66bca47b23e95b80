import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ganfw import RunError, write_atomically
from ganfw.files import expanded, is_locked, locked, read_bounded


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


def test_a_refused_write_is_reported_and_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    path = tmp_path / "taken"

    with pytest.raises(RunError) as caught:
        write_atomically(path, b"new")
    assert str(caught.value) == f"{path}: cannot be written: Is a directory"
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken"]


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
    assert str(caught.value) == f"{path}: not an ordinary file"


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        read_bounded(tmp_path / "gone", 4)
    assert str(caught.value) == f"{tmp_path}/gone: cannot be read: No such file or directory"


HOLD = """
import sys, time
from pathlib import Path
from ganfw.files import expanded, locked

with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_lock_is_held_against_other_processes_and_dies_with_its_own(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"

        with pytest.raises(RunError) as caught, locked(tmp_path):
            pass
        assert is_locked(tmp_path)
        holder.send_signal(signal.SIGKILL)

    assert str(caught.value) == f"{tmp_path}: another process is training this run"
    with locked(tmp_path):
        pass


def test_a_folder_that_nobody_holds_is_not_locked(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)
    with locked(tmp_path):
        pass
    assert not is_locked(tmp_path)


def test_a_lock_is_let_go_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        1 / 0  # noqa: B018
    with locked(tmp_path):
        pass


def test_a_folder_that_is_gone_is_reported(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught, locked(tmp_path / "gone"):
        pass
    assert str(caught.value) == f"{tmp_path / 'gone'}: no such run directory; see: ganfw runs"
    assert not (tmp_path / "gone").exists()


def test_a_home_that_is_not_there_leaves_the_path_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/x")

    assert expanded("~/weights") == Path("/home/x/weights")
    assert expanded("~no-such-user/weights") == Path("~no-such-user/weights")
