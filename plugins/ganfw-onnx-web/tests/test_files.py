"""The files are those of the npm package, as the README says."""

import hashlib
import re
from pathlib import Path

import ganfw_onnx_web

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
HASHES = dict(re.findall(r"^\| `([\w.-]+)` \|.*\| `([0-9a-f]{64})` \|$", README, re.MULTILINE))


def test_the_javascript_is_unchanged() -> None:
    script = ganfw_onnx_web.script()

    assert hashlib.sha256(script.encode()).hexdigest() == HASHES["ort.wasm.bundle.min.mjs"]
    assert f"ONNX Runtime Web v{ganfw_onnx_web.VERSION}\n" in script
    assert f"`onnxruntime-web` {ganfw_onnx_web.VERSION} on npm" in README


def test_the_webassembly_is_unchanged() -> None:
    wasm = ganfw_onnx_web.wasm()

    assert hashlib.sha256(wasm).hexdigest() == HASHES["ort-wasm-simd-threaded.wasm.xz"]
    assert wasm.startswith(b"\0asm")


def test_the_licence_is_there() -> None:
    assert ganfw_onnx_web.licence().startswith("MIT License\n\nCopyright (c) Microsoft Corporation\n")
