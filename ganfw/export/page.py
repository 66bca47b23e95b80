"""One HTML file that runs a generator in the reader's browser, with nothing from elsewhere."""

import base64
import gzip
import json
import re

import numpy as np

from ganfw.errors import InputError
from ganfw.export.card import Card
from ganfw.export.generator import TrainedGenerator
from ganfw.export.onnx_file import to_onnx
from ganfw.report.page import asset, policy_hash

_EXPORTS = re.compile(r"export\{([^}]*)\};\s*(?://# sourceMappingURL=\S*)?\s*$")
"""The end of a JavaScript module."""


def render_page(trained: TrainedGenerator, card: Card) -> bytes:
    """Return the HTML of a page with the generator in it, as an ONNX file, and ONNX Runtime Web to run it.

    Nothing in the page is fetched from elsewhere, and its policy forbids it. It first shows the samples that ganfw
    draws of the run's seed, from the same noise, which is in the page too: no browser draws torch's random numbers.

    Raises:
        InputError: samples are not images, a package is missing, or the generator cannot be written as ONNX.
    """
    if not trained.makes_images:
        shape = tuple(trained.manifest.sample_shape)
        raise InputError(f"a page shows images, but the samples have the shape {shape}; --format onnx takes any")
    try:
        import ganfw_onnx_web as runtime
    except ImportError:
        raise InputError("a page needs ONNX Runtime Web: pip install ganfw-onnx-web") from None
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("ganfw.export"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    css = asset("page.css") + asset("page.css", "ganfw.export")
    js = _callable(runtime.script()) + asset("page.js", "ganfw.export")
    page = environment.get_template("page.html").render(
        card=card,
        css=Markup(css),
        js=Markup(js),
        css_hash=policy_hash(css),
        js_hash=policy_hash(js),
        command=trained.command,
        facts=Markup(json.dumps(_facts(trained, card))),
        model=_packed(to_onnx(trained)),
        wasm=_packed(runtime.wasm()),
        runtime_version=runtime.VERSION,
        runtime_licence=runtime.licence(),
    )
    return page.encode()


def _facts(trained: TrainedGenerator, card: Card) -> dict[str, object]:
    """Return what the page's script needs to know."""
    z = np.ascontiguousarray(trained.inputs()[0].numpy(), dtype="<f4")
    return {
        "shape": list(trained.manifest.sample_shape),
        "zDim": trained.z_dim,
        "classes": trained.num_classes,
        "distribution": card.drawing.distribution,
        "command": trained.command,
        "threshold": card.drawing.threshold,
        "noise": base64.b64encode(z.tobytes()).decode(),
    }


def _packed(content: bytes) -> str:
    """Compress what a page can decompress, and write it as text."""
    return base64.b64encode(gzip.compress(content, mtime=0)).decode()


def _callable(module: str) -> str:
    """Return the JavaScript of a module as one constant, `ort`, which has what the module exports."""
    found = _EXPORTS.search(module)
    assert found is not None, "ort.wasm.bundle.min.mjs ends in its exports"
    names = (each.split(" as ") for each in found[1].split(","))
    returned = ",".join(f"{alias}:{name}" if alias != "default" else f"default:{name}" for name, alias in names)
    return f"const ort=(()=>{{{module[: found.start()]}return{{{returned}}}}})();\n"
