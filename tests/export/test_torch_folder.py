"""A folder that needs only torch: the weights, and a copy of the code that draws the same samples to the last bit."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, load_file, save_file

from ganfw import InputError
from ganfw.export.generator import TrainedGenerator
from ganfw.export.torch_folder import torch_files
from ganfw.export.weights import read_weights

Open = Callable[..., TrainedGenerator]

WITHOUT_GANFW = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        assert name.partition(".")[0] not in ("ganfw", "ganfw_conv", "safetensors", "annotated_types"), name

sys.meta_path.insert(0, Refuse())
import torch
from generator import load_generator
torch.set_num_threads(1)
torch.save(load_generator()(*torch.load("inputs.pt")).detach(), "samples.pt")
"""


def draw_without_ganfw(folder: Path, *inputs: torch.Tensor) -> torch.Tensor:
    """Draw samples in a process of its own, in which ganfw cannot be imported."""
    torch.save(inputs, folder / "inputs.pt")
    subprocess.run([sys.executable, "-c", WITHOUT_GANFW], cwd=folder, check=True)
    samples: torch.Tensor = torch.load(folder / "samples.pt")
    return samples


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def test_the_folder_has_weights_code_and_licence(opened: Open) -> None:
    trained = opened()
    files = torch_files(trained)

    assert list(files) == ["model.safetensors", "generator.py", "LICENSE"]
    weights = load(files["model.safetensors"])
    for name, value in trained.network.state_dict().items():
        assert torch.equal(weights[name], value)
    assert b"MIT License" in files["LICENSE"]
    assert (
        b"    generator = MLPGenerator(64, (1, 28, 28), hidden_dim=4, norm='batch', output='sigmoid')\n"
        in (files["generator.py"])
    )


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("of_its_module", "gives other samples by itself"),
        ("of_numpy", None),
    ],
)
def test_a_generator_whose_code_does_not_work_by_itself_is_refused(opened: Open, name: str, reason: str | None) -> None:
    trained = opened(generator={"use": name})

    with pytest.raises(InputError) as caught:
        torch_files(trained)
    if reason:
        assert str(caught.value) == f"the code of {trained.part} {reason}; --format onnx needs no code"
    else:
        assert "needs 'import numpy as np'" in str(caught.value)


def test_the_name_of_a_strangers_recipe_is_no_code(opened: Open) -> None:
    trained = opened(name='x"""; raise SystemExit; """')

    code = torch_files(trained)["generator.py"].decode()

    assert code.startswith('"""The generator of x____ raise SystemExit_ ___ after 1 training steps, ')


def test_weights_of_every_dtype_are_read_as_safetensors_reads_them(tmp_path: Path) -> None:
    weights = {
        "matrix": torch.randn(3, 5),
        "half": torch.randn(7).to(torch.bfloat16),
        "count": torch.tensor(12),
        "mask": torch.tensor([True, False, True]),
        "nothing": torch.zeros(0, 4),
    }
    save_file(weights, tmp_path / "weights.safetensors", metadata={"about": "a test"})

    found = read_weights(tmp_path / "weights.safetensors")

    expected = load_file(tmp_path / "weights.safetensors")
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], value), name


@pytest.mark.slow
@pytest.mark.parametrize(
    "tables",
    [{}, {"generator": {"use": "by_class"}}, {"noise": {"use": "uniform", "z_dim": 5}}],
    ids=["mlp", "conditional", "uniform"],
)
def test_samples_without_ganfw_are_the_same_to_the_last_bit(
    opened: Open, tmp_path: Path, tables: dict[str, Any]
) -> None:
    trained = opened(**tables)
    folder = write(tmp_path / "alone", torch_files(trained))

    assert torch.equal(draw_without_ganfw(folder, *trained.inputs()), trained(*trained.inputs()))
