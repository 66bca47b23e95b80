"""Code is taken along as it is written, with what it needs and nothing else, or refused."""

import ast
from pathlib import Path

import pytest

import ganfw
from ganfw import InputError, Registry
from ganfw.export.source_code import portable_source
from ganfw.export.weights import read_weights


def names(source: str) -> list[str]:
    """Return the names that code defines, in order."""
    tree = ast.parse(source)
    assigned = [node.targets[0] if isinstance(node, ast.Assign) else node for node in tree.body]
    return [
        each.id if isinstance(each, ast.Name) else each.name
        for each in assigned
        if isinstance(each, ast.Name | ast.ClassDef | ast.FunctionDef)
    ]


def test_the_built_in_generator_brings_its_block_and_no_discriminator(registry: Registry) -> None:
    source = portable_source(registry.find("generator", "mlp"))

    assert names(source) == ["_generator_block", "MLPGenerator"]
    written = Path(ganfw.__file__).with_name("builtin") / "mlp.py"
    block = written.read_text(encoding="utf-8").partition("def _generator_block")[2].partition("\n\n\n")[0]
    assert block in source
    assert source.startswith(
        "import math\nfrom itertools import pairwise\nfrom typing import Literal\n\nfrom torch import nn\n"
    )


def test_keys_keep_their_types_and_lose_what_describes_them(exported_registry: Registry) -> None:
    source = portable_source(exported_registry.find("generator", "by_class"))

    assert names(source) == ["Width", "grey", "ByClass"]
    assert "Width = int\n" in source
    assert "Annotated" not in source
    assert "annotated_types" not in source


def test_functions_of_ganfw_come_with_it(registry: Registry) -> None:
    source = portable_source(registry.find("generator", "mlp"), read_weights)

    assert names(source)[:2] == ["DTYPES", "read_weights"]
    roots = {each.module or "" for each in ast.walk(ast.parse(source)) if isinstance(each, ast.ImportFrom)}
    assert roots == {"itertools", "pathlib", "torch", "typing"}


def test_code_that_needs_another_library_is_refused(exported_registry: Registry) -> None:
    part = exported_registry.find("generator", "of_numpy")

    with pytest.raises(InputError) as caught:
        portable_source(part)
    assert str(caught.value) == (
        f"the code of {part} cannot be copied: {part.load().__module__} needs 'import numpy as np', and an export "
        "with --format torch needs torch and Python's own library only; --format onnx needs no code"
    )
