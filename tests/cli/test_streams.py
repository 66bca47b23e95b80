"""Streams that are full, closed or of an old encoding, in real processes: they cost no run and no result."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ganfw import Recipe

GANFW = f"{sys.executable} -m ganfw"
RUN = (
    f"{GANFW} run mnist_mlp --device cpu --set data.split=test --set generator.hidden_dim=4 "
    "--set discriminator.hidden_dim=4 --set run.max_steps=6 --set run.log_every_steps=2"
)
NO_SPACE = "ganfw: standard output cannot be written: No space left on device\n"

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def shell(command: str, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a line of the shell; `pipefail`, so that the status is that of ganfw."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        env={**os.environ, "GANFW_PLUGINS": "", **environment},
        capture_output=True,
        check=False,
        timeout=120,
    )


def steps() -> list[int]:
    return [json.loads(line)["step"] for line in Path("runs/mnist_mlp-1/metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("streams", "status", "unbuffered"),
    [
        pytest.param("2>&-", 0, "", marks=pytest.mark.slow),
        pytest.param("2>/dev/full", 0, "1", marks=pytest.mark.slow),
        (">/dev/full", 1, ""),
        pytest.param("2>/dev/full", 0, "", marks=pytest.mark.slow),
        pytest.param(">/dev/full", 1, "1", marks=pytest.mark.slow),
    ],
)
def test_a_run_outlives_its_streams(streams: str, status: int, unbuffered: str) -> None:
    done = shell(f"{RUN} {streams}", PYTHONUNBUFFERED=unbuffered)

    assert (done.returncode, steps()) == (status, [2, 4, 6]), done.stderr
    assert Path("runs/mnist_mlp-1/checkpoints/step-000006/manifest.json").is_file()
    assert b"Traceback" not in done.stderr
    assert done.stderr.decode().endswith(NO_SPACE) == (streams == ">/dev/full")


@pytest.mark.slow
def test_a_closed_stream_leaves_its_number_to_no_file() -> None:
    Path("writer.py").write_text(
        "import os\nfrom ganfw import Callback, Part, hookimpl\n"
        "@hookimpl\ndef ganfw_parts():\n    yield Part(kind='callback', name='writer', target='writer:Writer')\n"
        "class Writer(Callback):\n    def on_start(self, training):\n"
        "        self.file = open('own.txt', 'w')\n        os.write(1, b'stray')\n        os.write(2, b'stray')\n"
    )

    done = shell(f"{RUN} --plugin writer.py --set callbacks.own.use=writer >&- 2>&-")

    assert (done.returncode, Path("own.txt").read_bytes()) == (0, b"")


def test_a_listing_that_cannot_be_printed_fails() -> None:
    done = shell(f"{GANFW} parts --json >/dev/full")
    assert (done.returncode, done.stderr.decode()) == (1, NO_SPACE)


def test_a_reader_that_closes_early_gets_no_error() -> None:
    done = shell(f"{GANFW} parts | true")
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_an_encoding_without_the_character_prints_another(encoding: str) -> None:
    Path("own.toml").write_text('extends = "mnist_mlp"\n[data]\nroot = "→ \u202e \u009b31m"\n', encoding="utf-8")
    commands = ["parts averaging ema", "parts regularizer r1", "parts metric frechet_distance", "show own.toml"]

    done = shell(" && ".join(f"{GANFW} {words}" for words in commands), PYTHONIOENCODING=encoding)

    assert (done.returncode, done.stderr) == (0, b"")
    assert 'root = "? \\u202e \\u009b31m"' in done.stdout.decode(encoding)


def test_show_prints_what_a_terminal_obeys_as_escapes_that_load_again() -> None:
    Path("own.toml").write_text('extends = "mnist_mlp"\n[data]\nroot = "a\u202eb\u009b31mc"\n', encoding="utf-8")

    done = shell(f"{GANFW} show own.toml", PYTHONIOENCODING="utf-8")

    assert done.returncode == 0
    assert 'root = "a\\u202eb\\u009b31mc"' in done.stdout.decode()
    assert Recipe.parse(done.stdout.decode()).tables["data"]["root"] == "a\u202eb\u009b31mc"


@pytest.mark.slow
def test_an_evaluation_is_on_disk_before_it_is_printed(judged_run: Path, judging_script: Path) -> None:
    command = f"{GANFW} evaluate {judged_run} -n 50 --plugin {judging_script} --device cpu"

    full = shell(f"{command} > /dev/full")
    assert (full.returncode, full.stderr.decode()[-len(NO_SPACE) :]) == (1, NO_SPACE)
    (written,) = (judged_run / "eval").glob("*.json")
    written.unlink()
    old = shell(f"{command} > out.txt", PYTHONIOENCODING="cp1252")

    assert old.returncode == 0, old.stderr
    assert written.is_file()
    assert "brightness_error" in Path("out.txt").read_text(encoding="cp1252")
