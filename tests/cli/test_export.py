"""`ganfw export`: files beside which a model card stands, whole or not at all."""

import os
import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from click.testing import CliRunner
from PIL import Image

from ganfw.cli import main

ROOT = Path(__file__).parents[2]


def invoke(*arguments: str | Path, status: int = 0) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    return result.stderr if status else result.stdout


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def code_of(page: Path) -> str:
    """Return the first Python code of a page."""
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)[0]


def test_onnx_is_used_as_its_card_and_the_docs_say(trained: Path) -> None:
    assert invoke("export", trained) == "tiny-step-000010.onnx\n"
    assert sorted(path.name for path in Path().glob("tiny*")) == ["tiny-step-000010.onnx", "tiny-step-000010.onnx.md"]
    code = code_of(Path("tiny-step-000010.onnx.md"))

    names: dict[str, np.ndarray] = {}
    exec(compile(code, "card", "exec"), names)

    assert len([line for line in code.splitlines() if line]) <= 10
    with Image.open("samples.png") as picture:
        assert (picture.size, picture.mode) == ((25 * 28, 28), "L")
        assert np.array_equal(np.array(picture)[:, 28:56], np.rint(names["samples"][1, 0] * 255))
    of_docs = code_of(ROOT / "docs" / "how-to" / "export.md")
    assert of_docs.replace("mnist_mlp-step-093800", "tiny-step-000010") == code
    invoke("sample", trained, "-o", "expected.npy")
    session = onnxruntime.InferenceSession("tiny-step-000010.onnx")
    assert session.get_modelmeta().custom_metadata_map["recipe"] == "tiny"


def test_torch_gives_a_folder_with_its_card(trained: Path) -> None:
    assert invoke("export", trained, "--format", "torch") == "tiny-step-000010\n"

    names = sorted(path.name for path in Path("tiny-step-000010").iterdir())
    assert names == ["LICENSE", "README.md", "generator.py", "model.safetensors"]
    full = invoke("export", trained, "--format", "torch", status=2)
    assert full == "Error: -o tiny-step-000010: the folder has something in it; choose another, or remove it\n"


def test_the_name_must_fit_the_format(trained: Path) -> None:
    for kind, place, needed in (
        ("onnx", "a.html", "end in .onnx"),
        ("html", "a", "end in .html"),
        ("torch", "a.onnx", "be that of a folder, without an ending"),
    ):
        refusal = invoke("export", trained, "--format", kind, "-o", place, status=2)
        assert refusal == f"Error: -o {place}: with --format {kind} the name must {needed}\n"
    missing = invoke("export", trained, "-o", "nowhere/at/all.onnx", status=2)
    assert (
        missing == "Error: nowhere/at/all.onnx: cannot be written: the folder nowhere does not exist; make it first\n"
    )
    assert os.listdir() == ["runs"]  # noqa: PTH208 - the names
