"""An ONNX file of any number of rows, whose samples are ganfw's."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
import torch

from ganfw import InputError
from ganfw.export.generator import TrainedGenerator
from ganfw.export.onnx_file import to_onnx

Open = Callable[..., TrainedGenerator]


def session_of(content: bytes) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


def test_any_number_of_rows_gives_the_samples_of_ganfw(opened: Open) -> None:
    trained = opened()
    content = to_onnx(trained)
    session = session_of(content)

    for rows in (1, 3, 70):
        z = torch.randn(rows, 64)
        (samples,) = session.run(None, {"z": z.numpy()})
        torch.testing.assert_close(torch.from_numpy(samples), trained(z), rtol=0, atol=1e-5)
    about = session.get_modelmeta().custom_metadata_map
    assert {key: about[key] for key in ("recipe", "step", "seed", "noise", "z_dim", "data_licence")} == {
        "recipe": "tiny",
        "step": "1",
        "seed": "0",
        "noise": "ganfw:normal",
        "z_dim": "64",
        "data_licence": "CC-BY-SA-3.0",
    }
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    assert str(Path.home()).encode() not in content
    assert b"ganfw/export" not in content


@pytest.mark.slow
def test_a_conditional_generator_takes_labels(opened: Open) -> None:
    trained = opened(generator={"use": "by_class"})
    session = session_of(to_onnx(trained))

    assert [each.name for each in session.get_inputs()] == ["z", "labels"]
    z = torch.randn(1, 64).expand(10, 64)
    (samples,) = session.run(None, {"z": z.numpy(), "labels": torch.arange(10).numpy()})
    torch.testing.assert_close(torch.from_numpy(samples), trained(z, torch.arange(10)), rtol=0, atol=1e-5)
    assert len({row.tobytes() for row in samples}) == 10


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (
            "two_faced",
            r"samples of the ONNX file differ from ganfw's by 0\.0\d+, more than 1e-05; nothing is written; "
            "use --format torch",
        ),
        ("not_for_onnx", r"cannot be written as ONNX: .+"),
    ],
)
def test_a_file_that_would_not_be_the_generator_is_refused(opened: Open, name: str, reason: str) -> None:
    trained = opened(generator={"use": name})

    with pytest.raises(InputError, match=reason) as caught:
        to_onnx(trained)
    assert str(caught.value).startswith(str(trained.part))
    assert "\n" not in str(caught.value)


def test_a_missing_library_is_named(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = opened()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)

    with pytest.raises(InputError) as caught:
        to_onnx(trained)
    assert str(caught.value) == "an ONNX file needs onnxruntime: pip install 'ganfw[export]'"


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["grid_mlp", "stacked_mnist_mlp", "mnist_mlp_fast"])
def test_generators_of_the_recipes_are_exported(opened: Open, recipe: str) -> None:
    small: dict[str, Any] = {"data": {"size": 1000}} if recipe == "stacked_mnist_mlp" else {}
    trained = opened(recipe, generator={"hidden_dim": 4}, discriminator={"hidden_dim": 4}, **small)

    (samples,) = session_of(to_onnx(trained)).run(None, {"z": trained.inputs()[0].numpy()})

    assert samples.shape == (25, *trained.manifest.sample_shape)
