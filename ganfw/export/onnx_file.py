"""The generator as an ONNX file: `z`, and `labels` where it is conditional, to `samples`."""

import importlib.util
import warnings
from importlib.metadata import version

import torch
from torch import Tensor, nn

from ganfw.engine.networks import call_network
from ganfw.errors import InputError
from ganfw.export.generator import TrainedGenerator

TOLERANCE = 1e-5
"""How far a sample of the file may be from ganfw's, for values in [-1, 1]; for larger ones, relative to the largest."""
LARGEST = (1 << 31) - (1 << 20)
"""Bytes of weights that an ONNX file can hold, which is a protobuf message of less than 2 GiB."""
_NEEDED = ("onnx", "onnxscript", "onnxruntime")


class _Samples(nn.Module):
    """The generator, called as the file is: by position."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        samples: Tensor = call_network(self.network, z, labels=labels).float()
        return samples


def to_onnx(trained: TrainedGenerator) -> bytes:
    """Return an ONNX file with any number of rows, `n`, that gives the samples that ganfw gives.

    Its inputs are `z`, `(n, z_dim)` float32, and for a conditional generator `labels`, `(n,)` int64; its output is
    `samples`, `(n, *sample_shape)` float32. Its metadata says what it was made from.

    Raises:
        InputError: a library is missing, the generator has an operation that ONNX has not, it is too large, or the
            file's samples differ from ganfw's.
    """
    if missing := [name for name in _NEEDED if importlib.util.find_spec(name) is None]:
        raise InputError(f"an ONNX file needs {', '.join(missing)}: pip install 'ganfw[export]'")
    if sum(tensor.nbytes for tensor in trained.network.state_dict().values() if isinstance(tensor, Tensor)) > LARGEST:
        raise InputError(f"{trained.part}: its weights are larger than an ONNX file can be, 2 GiB; use --format torch")
    content = _converted(trained)
    _check(content, trained)
    return content


def _converted(trained: TrainedGenerator) -> bytes:
    inputs = trained.inputs()
    rows = torch.export.Dim("n")
    try:
        with warnings.catch_warnings(action="ignore"):  # that the rows of both inputs are one axis, and the like
            program = torch.onnx.export(
                _Samples(trained.network).eval(),
                inputs,
                dynamo=True,
                input_names=["z", "labels"][: len(inputs)],
                output_names=["samples"],
                dynamic_shapes=tuple({0: rows} for _ in inputs),
                verbose=False,
            )
    except Exception as error:  # torch has a dozen ways of saying that it cannot
        reason = str(error.__cause__ or error).strip().partition("\n")[0]
        raise InputError(f"{trained.part} cannot be written as ONNX: {reason}; use --format torch") from error
    assert program is not None
    model = program.model_proto
    for node in [model.graph, *model.graph.node]:
        del node.metadata_props[:]  # where in whose files each operation comes from
    for key, value in _metadata(trained).items():
        model.metadata_props.add(key=key, value=value)
    content: bytes = model.SerializeToString()
    return content


def _metadata(trained: TrainedGenerator) -> dict[str, str]:
    manifest = trained.manifest
    return {
        "ganfw": version("ganfw"),
        "recipe": manifest.name,
        "step": str(manifest.step),
        "seed": str(manifest.seed),
        "manifest_sha256": trained.manifest_sha256,
        "noise": trained.noise_part.qualified_name,
        "z_dim": str(trained.z_dim),
        "data_licence": manifest.data_licence or "",
    }


def _check(content: bytes, trained: TrainedGenerator) -> None:
    """Compare the file's samples with those that `ganfw sample` draws, all at once and one by itself.

    Raises:
        InputError: they differ.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    inputs = dict(zip(("z", "labels"), (each.numpy() for each in trained.inputs()), strict=False))
    expected = trained.source.sample(len(inputs["z"]), seed=trained.manifest.seed)
    limit = TOLERANCE * max(1.0, float(expected.abs().max()))
    for rows in (len(inputs["z"]), 1):
        (samples,) = session.run(["samples"], {name: values[:rows] for name, values in inputs.items()})
        difference = float((torch.from_numpy(samples) - expected[:rows]).abs().max())
        if not difference <= limit:
            raise InputError(
                f"{trained.part}: samples of the ONNX file differ from ganfw's by {difference:.3g}, more than "
                f"{limit:.3g}; nothing is written; use --format torch"
            )
