"""The disk fills up, becomes read-only or goes away: it is told, nothing is lost, and the run goes on afterwards."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from ganfw import Recipe, open_checkpoint

Launch = Callable[..., tuple[int, str]]
Bits = Callable[[Path], dict[str, Any]]

pytestmark = pytest.mark.slow


@pytest.fixture
def recipe(tiny: Recipe, tmp_path: Path) -> Path:
    """Return the file of a recipe with a checkpoint and a grid at steps 20, 40 and 45, and 45 lines of metrics."""
    seldom = Recipe(
        extends=tiny,
        run={"log_every_steps": 1, "max_steps": 45},
        callbacks={"samples": {"every_steps": 20}, "checkpoint": {"every_steps": 20}},
    )
    path = tmp_path / "tiny.toml"
    path.write_text(seldom.to_toml())
    return path


@frozen
class Disk:
    """A place for runs that can fill up.

    Attributes:
        launch: runs ganfw.
        runs: the folder of runs on it, as ganfw names it.
        view: the same folder, as this process reaches it.
        fill: the shell command that fills it while ganfw is about to write `{file}`.
        reason: what the system says then.
    """

    launch: Launch
    runs: Path
    view: Path
    fill: str
    reason: str

    def fill_before(self, operation: str) -> dict[str, str]:
        """Return what makes `launch` fill it just before an operation of the first run."""
        file = self.runs / "tiny-1" / operation.split()[1]
        return {"before": operation, "command": self.fill.format(file=file)}

    def clear(self) -> None:
        """Make room again."""
        (self.view.parent / "filler").unlink(missing_ok=True)


@pytest.fixture(scope="module")
def small_file_system(
    start_fork_server: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Launch, Path, Path] | None:
    """Return what runs ganfw where a file system of 8 MB is mounted, its place there and the way to it from here.

    None where this user may not mount anything.
    """
    place = tmp_path_factory.mktemp("disk")
    for namespace in (["unshare", "--mount"], ["unshare", "--mount", "--map-root-user"]):
        mount = [*namespace, "sh", "-c", f'mount -t tmpfs -o size=8m ganfw {place} && exec "$@"', "sh"]
        if shutil.which("unshare") and subprocess.run([*mount, "true"], capture_output=True).returncode == 0:
            server = start_fork_server(*mount)
            return server.launch, place, Path(f"/proc/{server.process.pid}/root{place}")
    return None


@pytest.fixture(params=["small file system", "limit on the size of files"])
def disk(
    request: pytest.FixtureRequest,
    launch: Launch,
    small_file_system: tuple[Launch, Path, Path] | None,
    tmp_path: Path,
) -> Iterator[Disk]:
    """Return a disk of either kind: one that is really small, or files that may grow by ten more bytes."""
    if request.param == "limit on the size of files":
        limit = "prlimit --pid $PPID --fsize=$(($(stat -c %s {file} || echo 0) + 10))"
        yield Disk(launch, tmp_path / "runs", tmp_path / "runs", limit, "File too large")
        return
    if small_file_system is None:
        pytest.skip("this user may not mount a file system")
    launch_there, place, view = small_file_system
    fill = f"dd if=/dev/zero of={place}/filler bs=4k"
    disk = Disk(launch_there, place / "runs", view / "runs", fill, "No space left on device")
    yield disk
    disk.clear()
    shutil.rmtree(disk.view)


def assert_refused(ended: tuple[int, str], message: str) -> None:
    """Assert that ganfw ended with this message, and no traceback."""
    status, output = ended
    assert status == 2, output
    assert output.endswith(f"Error: {message}\n"), output
    assert "Traceback" not in output


def assert_good(run: Path, step: int, expected: dict[str, Any], bits: Bits) -> None:
    """Assert that a run has a good checkpoint of a step, whole lines of metrics and nothing half-written."""
    checkpoint = open_checkpoint(run)
    assert (checkpoint.manifest.step, checkpoint.skipped) == (step, ())
    found = bits(run)
    lines = found["metrics.jsonl"]
    assert lines == expected["metrics.jsonl"][: len(lines)]
    assert [path for path in found if "/." in path or path.startswith(".")] == []


def assert_continues(launch: Launch, run: Path, view: Path, expected: dict[str, Any], bits: Bits) -> None:
    """Assert that a resume ends with the bits of an undisturbed run."""
    status, output = launch("resume", run, folder=run.parent)
    assert status == 0, output
    assert bits(view) == expected


@pytest.mark.parametrize(
    ("operation", "failure"),
    [
        (
            "open checkpoints/.step-000040.tmp/generator.safetensors 0",
            "checkpoints/step-000040: the checkpoint cannot be written",
        ),
        ("open checkpoints/.step-000040.tmp/state.json 0", "checkpoints/step-000040: the checkpoint cannot be written"),
        (
            "open checkpoints/.step-000040.tmp/manifest.json 0",
            "checkpoints/step-000040: the checkpoint cannot be written",
        ),
        ("open checkpoints/.latest.tmp 1", "checkpoints/latest: cannot be written"),
        ("open samples/.step-000040.png.tmp 0", "samples/step-000040.png: cannot be written"),
        ("open metrics.jsonl 21", "metrics.jsonl: cannot be written"),
    ],
)
def test_a_disk_that_fills_up_is_reported_and_the_run_continues_when_there_is_room(
    disk: Disk, bits: Bits, recipe: Path, expected: dict[str, Any], operation: str, failure: str
) -> None:
    run, view = disk.runs / "tiny-1", disk.view / "tiny-1"

    ended = disk.launch("run", recipe, "--out", disk.runs, folder=disk.runs, **disk.fill_before(operation))

    assert_refused(
        ended,
        f"{run}/{failure}: {disk.reason}\n"
        f"the last good checkpoint is {run}/checkpoints/step-000020; continue with: ganfw resume {run}",
    )
    assert_good(view, 20, expected, bits)
    disk.clear()
    assert_continues(disk.launch, run, view, expected, bits)


def test_a_disk_that_is_full_at_the_start_is_reported_before_the_first_step(
    disk: Disk, bits: Bits, recipe: Path, expected: dict[str, Any]
) -> None:
    run, view = disk.runs / "tiny-1", disk.view / "tiny-1"

    ended = disk.launch("run", recipe, "--out", disk.runs, folder=disk.runs, **disk.fill_before("open .space.tmp 0"))

    assert_refused(
        ended,
        f"{run}: not enough space for a checkpoint of 0 MB; free some: {disk.reason}\n"
        f"the run has no checkpoint yet, so it starts again at step 0; continue with: ganfw resume {run}",
    )
    assert (view / "metrics.jsonl").read_text() == ""
    disk.clear()
    assert_continues(disk.launch, run, view, expected, bits)


def test_a_disk_too_full_for_a_run_directory_is_reported(disk: Disk, recipe: Path) -> None:
    fill = disk.fill_before("open .recipe.toml.tmp 0")

    ended = disk.launch("run", recipe, "--out", disk.runs, folder=disk.runs, **fill)

    assert_refused(ended, f"{disk.runs}/tiny-1/recipe.toml: cannot be written: {disk.reason}")
    assert list((disk.view / "tiny-1").iterdir()) == []


def test_a_resume_on_a_full_disk_is_reported_and_harms_nothing(
    disk: Disk, bits: Bits, recipe: Path, expected: dict[str, Any]
) -> None:
    run, view = disk.runs / "tiny-1", disk.view / "tiny-1"
    disk.launch("run", recipe, "--out", disk.runs, folder=disk.runs, **disk.fill_before("open metrics.jsonl 21"))
    disk.clear()

    ended = disk.launch("resume", run, folder=disk.runs, **disk.fill_before("open .environment.json.tmp 0"))

    assert_refused(ended, f"{run}/environment.json: cannot be written: {disk.reason}")
    assert_good(view, 20, expected, bits)
    disk.clear()
    assert_continues(disk.launch, run, view, expected, bits)


@pytest.fixture(scope="module")
def launch_with_modes(start_fork_server: Callable[..., Any]) -> Launch:
    """Return a function that runs ganfw as a user who must obey the modes of files, as root need not."""
    capabilities = "-dac_override,-dac_read_search"
    bounded = ["setpriv", f"--bounding-set={capabilities}", f"--inh-caps={capabilities}"]
    launch: Launch = start_fork_server(*(bounded if os.geteuid() == 0 else [])).launch
    return launch


@pytest.mark.parametrize(
    ("operation", "failure"),
    [
        ("mkdir checkpoints/.step-000040.tmp 0", "checkpoints/step-000040: the checkpoint cannot be written"),
        ("open checkpoints/.latest.tmp 1", "checkpoints/latest: cannot be written"),
        ("open samples/.step-000040.png.tmp 0", "samples/step-000040.png: cannot be written"),
        ("open metrics.jsonl 21", "metrics.jsonl: cannot be written"),
    ],
)
def test_a_run_that_becomes_read_only_is_reported_and_continues_when_it_is_not(
    launch_with_modes: Launch,
    bits: Bits,
    recipe: Path,
    expected: dict[str, Any],
    tmp_path: Path,
    operation: str,
    failure: str,
) -> None:
    run = tmp_path / "runs" / "tiny-1"

    ended = launch_with_modes(
        "run", recipe, "--out", run.parent, folder=run.parent, before=operation, command=f"chmod -R a-w {run}"
    )
    again = launch_with_modes("resume", run, folder=run.parent)

    assert_refused(
        ended,
        f"{run}/{failure}: Permission denied\n"
        f"the last good checkpoint is {run}/checkpoints/step-000020; continue with: ganfw resume {run}",
    )
    assert_refused(again, f"{run}: cannot be locked: Permission denied")
    assert_good(run, 20, expected, bits)
    subprocess.run(["chmod", "-R", "u+w", run], check=True)
    assert_continues(launch_with_modes, run, run, expected, bits)


def test_leftovers_that_cannot_be_removed_are_reported(
    launch_with_modes: Launch, bits: Bits, recipe: Path, expected: dict[str, Any], tmp_path: Path
) -> None:
    run = tmp_path / "runs" / "tiny-1"
    checkpoints = run / "checkpoints"
    removal = "rmdir checkpoints/.step-000020.old 0"
    launch_with_modes("run", recipe, "--out", run.parent, folder=run.parent, before=removal, command="kill -9 $PPID")
    checkpoints.chmod(0o555)

    ended = launch_with_modes("resume", run, folder=run.parent)

    assert_refused(
        ended,
        f"{run}: files that a crash has left cannot be removed: Permission denied\n"
        f"the last good checkpoint is {checkpoints}/step-000045; continue with: ganfw resume {run}",
    )
    checkpoints.chmod(0o755)
    assert_continues(launch_with_modes, run, run, expected, bits)


@pytest.mark.parametrize(
    ("operation", "failure"),
    [
        ("mkdir checkpoints/.step-000040.tmp 0", "checkpoints/step-000040: the checkpoint cannot be written"),
        (
            "open checkpoints/.step-000040.tmp/state.json 0",
            "checkpoints/step-000040: the checkpoint cannot be written",
        ),
        ("mkdir samples 2", "samples/step-000040.png: cannot be written"),
        ("open metrics.jsonl 21", "metrics.jsonl: cannot be written"),
    ],
)
def test_a_run_directory_that_is_moved_away_is_reported_and_the_run_continues_where_it_is(
    launch: Launch, bits: Bits, recipe: Path, expected: dict[str, Any], tmp_path: Path, operation: str, failure: str
) -> None:
    run, moved = tmp_path / "runs" / "tiny-1", tmp_path / "moved"

    ended = launch("run", recipe, "--out", run.parent, folder=run.parent, before=operation, command=f"mv {run} {moved}")

    assert_refused(
        ended,
        f"{run}/{failure}: No such file or directory\n"
        f"{run} is gone; if it was moved, continue with: ganfw resume WHERE_IT_IS_NOW",
    )
    assert not run.exists()
    assert open_checkpoint(moved).manifest.step == 20
    assert_continues(launch, moved, moved, expected, bits)
