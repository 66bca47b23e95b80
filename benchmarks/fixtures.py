"""What benchmarks are run on: a folder that goes with them, a finished run, many installed plugins."""

import atexit
import compileall
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

RECIPE = Path(__file__).parents[1] / "recipes" / "mnist_mlp.toml"

PLUGIN = """\
from ganfw import Part, hookimpl


@hookimpl
def ganfw_parts():
    yield Part(kind="loss", name="{name}", target="{name}:Loss", help="a loss that no recipe uses")
"""


@functools.cache
def scratch() -> Path:
    """Return a folder that is removed when this process ends."""
    folder = tempfile.mkdtemp(prefix="ganfw-benchmark-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def short_run() -> Path:
    """Return the directory of a run of one step of the reference recipe."""
    command = ["ganfw", "run", str(RECIPE), "--set=run.max_steps=1", "--out", str(scratch() / "runs")]
    done = subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True, text=True)
    return Path(done.stdout.strip())


def with_plugins(count: int) -> dict[str, str]:
    """Return the environment variables with which `count` more distributions are installed, each with a plugin.

    Python finds them as those that pip installs: a folder on its path with their modules, compiled, their metadata and
    entry points.
    """
    folder = scratch() / f"plugins-{count}"
    for number in range(count):
        name = f"benchmark_plugin_{number:03}"
        metadata = folder / f"{name}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[ganfw]\nparts = {name}\n")
        (folder / f"{name}.py").write_text(PLUGIN.format(name=name))
    compileall.compile_dir(folder, quiet=2)
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))}
