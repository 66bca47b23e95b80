"""`ganfw export`: a trained generator for use without ganfw."""

from pathlib import Path

import click

from ganfw.cli import options
from ganfw.errors import InputError
from ganfw.plugins.registry import Registry
from ganfw.terminal import say

ENDINGS = {"onnx": ".onnx", "torch": "", "html": ".html"}
"""What the name of an export ends in, by format; `""` stands for a folder."""


@click.command(short_help="Write the generator of a run for use without ganfw.")
@options.run_argument
@click.option(
    "--format",
    "kind",
    type=click.Choice(list(ENDINGS)),
    default="onnx",
    show_default=True,
    help="A file for any ONNX runtime, a folder that needs only torch, or a page for a browser.",
)
@options.output_option("An .onnx file, a folder, or an .html file.", "PLACE")
@options.with_registry
def export(run_directory: Path, kind: str, output: Path | None, registry: Registry) -> None:
    """Write the generator of a RUN, a run directory or one of its checkpoints, for use without ganfw.

    \b
    onnx   a file from z, (n, z_dim) float32, to samples, with labels if the
           generator is conditional; its samples are compared with ganfw's
    torch  a folder with the weights and one Python file that needs only torch
    html   one page with the generator in it, to play with in a browser;
           it needs no network and no server, and can be sent by mail

    A model card is in the page, in the folder, or beside the file. It has the recipe, the data and its licence, and the
    newest evaluation of the run.
    """  # noqa: D301 - click reads the backspace character
    from ganfw.export.card import read_card
    from ganfw.export.generator import open_generator
    from ganfw.files import write_atomically, write_folder

    checkpoint, trained = options.read_run(run_directory, lambda each: open_generator(each, registry))
    output = _place(kind, output, f"{checkpoint.manifest.name}-step-{checkpoint.manifest.step:06d}")
    card = read_card(trained)
    if kind == "torch":
        from ganfw.export.torch_folder import torch_files

        files = {**torch_files(trained), "README.md": card.markdown("torch")}
        write_folder(output, files.items())
    elif kind == "html":
        from ganfw.export.page import render_page

        write_atomically(output, render_page(trained, card))
    else:
        from ganfw.export.onnx_file import to_onnx

        content = to_onnx(trained)
        write_atomically(output, content)
        write_atomically(Path(f"{output}.md"), card.markdown("onnx", file=output.name))
        say(f"its model card: {output}.md", err=True)
    say(output)


def _place(kind: str, output: Path | None, stem: str) -> Path:
    """Return where to write: by default named after the checkpoint, in the current folder."""
    ending = ENDINGS[kind]
    if output is not None and output.suffix != ending:
        needed = f"end in {ending}" if ending else "be that of a folder, without an ending"
        raise InputError(f"-o {output}: with --format {kind} the name must {needed}")
    output = output or Path(stem + ending)
    if ending:
        options.require_place(output)
    else:
        options.require_free_folder(output)
    return output
