"""The notebooks of the documentation run from start to end, and give outputs as those that they show."""

import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "docs" / "notebooks"
NOTEBOOKS = ("compare_and_tune", "first_gan", "own_loss")
SHORTER = {"350": "35", "469": "47", "2000": "200"}
"""What is run instead of the steps and samples that the notebooks show, to save minutes."""


def kinds(notebook: Any) -> list[list[tuple[str, ...]]]:
    """Return for each cell of code of what kinds its outputs are, lines that libraries warn with aside."""
    return [
        [
            ("Error:" * ("Error:" in output.text),) if output.output_type == "stream" else tuple(sorted(output.data))
            for output in cell.outputs
            if output.output_type != "stream" or output.name == "stdout"
        ]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_every_notebook_is_run_and_its_links_lead_somewhere() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == list(NOTEBOOKS)
    for path in FOLDER.glob("*.ipynb"):
        text = "\n".join(cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown")
        links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
        assert links
        for link in links:
            assert (FOLDER / link.partition("#")[0]).is_file(), f"{path.name}: {link}"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    shown = nbformat.read(FOLDER / f"{name}.ipynb", 4)
    fresh = nbformat.read(FOLDER / f"{name}.ipynb", 4)
    for cell in fresh.cells:
        cell.source = re.sub(rf"\b({'|'.join(SHORTER)})\b", lambda number: SHORTER[number[0]], cell.source)

    NotebookClient(fresh, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()

    assert kinds(fresh) == kinds(shown)
