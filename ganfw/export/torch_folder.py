"""The generator as a folder that needs only torch: its weights, and its code in one file."""

import re
import runpy
import tempfile
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution, metadata, version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from ganfw.errors import InputError
from ganfw.export.drawing import drawing_of
from ganfw.export.generator import TrainedGenerator
from ganfw.export.source_code import portable_source
from ganfw.export.weights import read_weights
from ganfw.plugins.registry import RegisteredPart, describe
from ganfw.plugins.signature import convert

WEIGHTS = "model.safetensors"
CODE = "generator.py"
_HEAD = '''"""The generator of {name} after {step} training steps, exported by ganfw {version}. It needs only torch.

The code is from {origin}.
README.md says what the weights were trained on. To draw samples:

    import torch
    from generator import load_generator

    samples = load_generator()({arguments})  # (25, {shape}) float32
"""

'''
_LOADER = '''


def load_generator() -> torch.nn.Module:
    """Return the trained generator, in evaluation mode."""
    generator = {call}
    generator.load_state_dict(read_weights(Path(__file__).with_name("{weights}")))
    return generator.eval()
'''


def torch_files(trained: TrainedGenerator) -> dict[str, bytes]:
    """Return the weights, a Python file that loads them and needs only torch, and the licence of the code in it.

    Code and weights are tried: the copy must give the same samples as the generator, to the last bit.

    Raises:
        InputError: the generator's code cannot be copied, or does not work by itself.
    """
    state = trained.network.state_dict()
    weights = {name: value.detach().clone().contiguous() for name, value in state.items() if isinstance(value, Tensor)}
    about = {"ganfw": version("ganfw"), "recipe": trained.manifest.name, "step": str(trained.manifest.step)}
    files = {WEIGHTS: save(weights, metadata=about), CODE: _code(trained).encode()}
    _check(files, trained)
    return files | _licence_file(trained.part)


def _licence_file(part: RegisteredPart) -> dict[str, bytes]:
    """Return the text of the licence that a part's code is under, where its package has one."""
    try:
        installed = distribution(part.plugin.distribution).files or []
    except PackageNotFoundError:  # a script
        return {}
    found = [Path(str(each.locate())) for each in installed if each.match("*.dist-info/**/LICEN[CS]E*")]
    return {"LICENSE": found[0].read_bytes()} if found and found[0].is_file() else {}


def licence_of(part: RegisteredPart) -> str:
    """Return the licence of the package that a part's code is from, as the package says it; `""` where it does not."""
    try:
        found: Any = metadata(part.plugin.distribution)
    except PackageNotFoundError:  # a script
        return ""
    return str(found.get("License-Expression") or found.get("License") or "").partition("\n")[0]


def _code(trained: TrainedGenerator) -> str:
    manifest, plugin, licence = trained.manifest, trained.part.plugin, licence_of(trained.part)
    labels = [] if trained.num_classes is None else [f"torch.arange(25) % {trained.num_classes}"]
    head = _HEAD.format(
        name=re.sub(r"[^\w. -]", "_", manifest.name),  # a stranger's, and this is code
        step=f"{manifest.step:,}",
        version=version("ganfw"),
        origin=f"{plugin.distribution} {plugin.version}" + (f", licence {licence}" if licence else ""),
        arguments=", ".join([drawing_of(trained).torch, *labels]),
        shape=", ".join(map(str, manifest.sample_shape)),
    )
    return head + portable_source(trained.part, read_weights) + _LOADER.format(call=_call(trained), weights=WEIGHTS)


def _call(trained: TrainedGenerator) -> str:
    """Write the call that builds the generator."""
    signature = trained.part.signature()
    manifest = trained.manifest
    known: Mapping[str, Any] = {
        "seed": manifest.seed,
        "sample_shape": manifest.sample_shape,
        "num_classes": manifest.num_classes,
        "entry_shapes": dict(manifest.entry_shapes),
        "z_dim": trained.z_dim,
        "device": "cpu",
    }
    for name in signature.context:
        if name not in known:
            raise InputError(
                f"the code of {trained.part} cannot be copied: it is given '{name}', which is a part of ganfw; "
                "--format onnx needs no code"
            )
    given = [repr(known[name]) for name in signature.context]
    given += [
        f"{name}={convert(signature.keys[name].annotation, value)!r}" for name, value in trained.parameters.items()
    ]
    return f"{trained.part.part.target.partition(':')[2]}({', '.join(given)})"


def _check(files: Mapping[str, bytes], trained: TrainedGenerator) -> None:
    """Run the code from a folder of its own, and compare its samples with the generator's.

    Raises:
        InputError: it fails, or they differ.
    """
    inputs = trained.inputs()
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            Path(folder, name).write_bytes(content)
        try:
            with torch.random.fork_rng(devices=[]), torch.no_grad():
                samples = runpy.run_path(str(Path(folder, CODE)))["load_generator"]()(*inputs)
        except Exception as error:  # the code of a part fails in its own way
            raise InputError(
                f"the code of {trained.part} does not work by itself: {describe(error)}; --format onnx needs no code"
            ) from error
    if not torch.equal(samples.float(), trained(*inputs)):
        raise InputError(f"the code of {trained.part} gives other samples by itself; --format onnx needs no code")
