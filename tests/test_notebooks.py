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
SHORTER = {
    "max_steps = 350": "max_steps = 20",
    "every_steps = 350": "every_steps = 20",
    "run.max_steps=350": "run.max_steps=20",
    "count = 2000": "count = 200",
    "--evaluate 2000": "--evaluate 200",
    "-n 2000": "-n 200",
    "trials = 6": "trials = 2",
    "bce,hinge,relativistic": "bce,hinge",
    "randperm(len(images))": "randperm(2560)",
    "steps=469": "steps=20",
    'run_recipe("mnist_mlp_dash")': 'run_recipe("mnist_mlp_dash", ["run.max_steps=20"])',
    '"loss.use=squares"': '"loss.use=squares", "run.max_steps=20"',
    '"loss.use=bce"': '"loss.use=bce", "run.max_steps=20"',
}
"""What is run instead of the steps, samples, trials and losses that the notebooks show, to save minutes."""


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


def shorten(notebook: Any) -> Any:
    """Replace what takes long in the cells of a notebook."""
    for cell in notebook.cells:
        for shown, short in SHORTER.items():
            cell.source = cell.source.replace(shown, short)
    return notebook


def test_what_is_shortened_stands_in_the_notebooks() -> None:
    text = "".join(cell.source for path in FOLDER.glob("*.ipynb") for cell in nbformat.read(path, 4).cells)
    assert all(shown in text for shown in SHORTER)


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
    fresh = shorten(nbformat.read(FOLDER / f"{name}.ipynb", 4))

    NotebookClient(fresh, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()

    assert kinds(fresh) == kinds(shown)
