"""ONNX Runtime Web in files, for pages that run a generator: `ganfw export RUN --format html`."""

import lzma
from importlib.resources import files

VERSION = "1.30.0"
"""The version of the npm package `onnxruntime-web` that the files are from."""


def script() -> str:
    """Return the JavaScript module `ort.wasm.bundle.min.mjs`, as it is in the npm package."""
    return (files(__package__) / "ort.wasm.bundle.min.mjs").read_text(encoding="utf-8")


def wasm() -> bytes:
    """Return the WebAssembly `ort-wasm-simd-threaded.wasm`, as it is in the npm package."""
    return lzma.decompress((files(__package__) / "ort-wasm-simd-threaded.wasm.xz").read_bytes())


def licence() -> str:
    """Return the licence of both."""
    return (files(__package__) / "LICENSE-onnxruntime.txt").read_text(encoding="utf-8")
