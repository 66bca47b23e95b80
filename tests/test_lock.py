import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ganfw import RunError
from ganfw.lock import locked

HOLD = """
import sys, time
from pathlib import Path
from ganfw.lock import locked

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
        holder.send_signal(signal.SIGKILL)

    assert str(caught.value) == f"{tmp_path}: another process is training this run"
    with locked(tmp_path):
        pass


def test_a_lock_is_let_go_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        1 / 0  # noqa: B018
    with locked(tmp_path):
        pass


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught, locked(tmp_path / "gone"):
        pass
    assert str(caught.value) == f"{tmp_path / 'gone'}: no such run directory"
    assert not (tmp_path / "gone").exists()
