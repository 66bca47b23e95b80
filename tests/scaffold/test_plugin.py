"""The package that is written for each kind of part passes its own tests, the contract of its kind among them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ganfw
from ganfw.scaffold.plugin import KINDS, plugin_names, write_plugin


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_package_passes_its_own_tests(kind: str, tmp_path: Path) -> None:
    names = plugin_names(f"ganfw-new-{kind}", kind, ganfw.discover(allowed=()))
    package = write_plugin(names, tmp_path)
    metadata = package / f"{names.module}-0.1.0.dist-info"  # what pip would make of it
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {names.distribution}\nVersion: 0.1.0\n")
    (metadata / "entry_points.txt").write_text(f"[ganfw]\n{names.part} = {names.module}\n")

    path = os.pathsep.join(filter(None, [str(package), os.environ.get("PYTHONPATH")]))
    only = {"PYTHONPATH": path, "GANFW_PLUGINS": names.distribution, "GANFW_STRICT_PLUGINS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=package,
        env={**os.environ, **only},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    passed = re.fullmatch(r"(\d+) passed in .*", done.stdout.splitlines()[-1])
    assert passed is not None
    assert int(passed[1]) >= 7
