"""The command line and the Python that make what a view shows."""

import shlex

from ganfw.play.runs import Model
from ganfw.play.views import PATH_STEPS, View, Walk
from ganfw.plugins.registry import SCRIPT_SUFFIX

IMPORTS = {
    "Batches": "ganfw.training.batches",
    "gather": "ganfw.evaluation.features",
    "nearest_samples": "ganfw.evaluation.neighbours",
    "open_data": "ganfw.evaluation.assembly",
}
"""Where names are that views use and that are not of `ganfw` itself."""


def python_of(view: View, model: Model) -> str:
    """Return a script that makes `samples` as the view shows them, and writes them as a picture where they are images.

    Raises:
        GanfwError: the view has none.
    """
    run, scripts = model.run, _scripts(model)
    sampler = f', overrides=["sampler.use={model.sampler}"]' if model.sampler else ""
    body = [
        f"registry = ganfw.discover({f'scripts={scripts!r}' if scripts else ''})",
        f"checkpoint = ganfw.open_checkpoint({str(model.checkpoint.path.resolve())!r})",
        f"source = checkpoint.source(registry, {run.device!r}{sampler})",
        *view.python(model),
    ]
    ends = ["print(samples)"]
    if model.kind == "images":
        columns = f", {PATH_STEPS}" if isinstance(view, Walk) else ""
        ends = [f'ganfw.write_png(Path("samples.png"), ganfw.image_grid(samples{columns}))']
    text = "\n".join([*body, *ends])
    imports = [
        *(["from pathlib import Path", ""] if model.kind == "images" else []),
        *(["import torch", ""] if "torch." in text else []),
        "import ganfw",
        *(f"from {module} import {name}" for name, module in sorted(IMPORTS.items()) if f"{name}(" in text),
    ]
    return "\n".join([*imports, "", text, ""])


def command_of(view: View, model: Model) -> str | None:
    """Return the command that draws the same samples, or None where no command does.

    Raises:
        GanfwError: the view has none.
    """
    words = view.command(model)
    if isinstance(words, str):
        return None
    device = ["--device", model.run.device] if model.run.device != "auto" else []
    plugins = [word for script in _scripts(model) for word in ("--plugin", script)]
    return shlex.join(["ganfw", words[0], str(model.checkpoint.path), *words[1:], *device, *plugins])


def why_no_command(view: View, model: Model) -> str:
    """Return the sentence that says why no command draws the same samples, or `""`."""
    words = view.command(model)
    return words if isinstance(words, str) else ""


def _scripts(model: Model) -> list[str]:
    plugins = model.run.registry.plugins
    return [plugin.source for plugin in plugins if plugin.distribution.endswith(SCRIPT_SUFFIX)]
